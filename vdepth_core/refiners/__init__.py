"""Refiners: what improves a settled shot."""
