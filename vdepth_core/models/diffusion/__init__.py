"""Depth by latent diffusion: Marigold and what was built on it."""
