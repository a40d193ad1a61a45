"""Camera paths in files, one format a file: what other programs know of a clip's camera, and back to them."""
