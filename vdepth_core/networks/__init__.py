"""Network architectures: torch modules only, one a file, with the key layouts of their published weights."""
