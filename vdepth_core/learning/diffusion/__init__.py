"""Fine-tuning of latent diffusion models for depth: targets, noise, what is trained, one file a recipe."""
