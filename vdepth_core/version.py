"""The version of vdepth, on the ground floor so that every room may stamp it into what it writes."""

__version__ = "0.1.0"
