"""Bringing files from the network: hub, downloads that resume, partial files."""
