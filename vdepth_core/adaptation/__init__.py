"""Adaptation: self-supervised fine-tuning of a model on the user's own clip."""
