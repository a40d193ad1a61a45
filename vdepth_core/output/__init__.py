"""From final disparity to files: range, up-sampling, EXR sequences, manifest, preview, report and exports."""
