"""Models: a network with its weights and preprocessing, found by name or by file."""
