"""Training of a merge network for boosting."""
