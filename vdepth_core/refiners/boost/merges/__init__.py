"""Merges: the large of one estimate and the small of another in one map."""
