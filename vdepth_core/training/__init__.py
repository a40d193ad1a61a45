"""Training: procedural scenes with exact truth, losses and the loop that makes the embedded model."""
