"""Relighting from depth: lamps, what they show of a surface, and what stands in their way."""
