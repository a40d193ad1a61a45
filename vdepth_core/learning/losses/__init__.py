"""Losses, one paper a file."""
