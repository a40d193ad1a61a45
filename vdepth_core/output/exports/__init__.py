"""Exporters: one finished sequence to one foreign format, one file a format."""
