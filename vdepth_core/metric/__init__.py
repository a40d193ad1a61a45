"""Finished jobs in metres: what is known of distances, and the same depth written again by it."""
