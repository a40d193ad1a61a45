"""vdepth: depth for video that artists can composite with."""

__version__ = "0.1.0"
