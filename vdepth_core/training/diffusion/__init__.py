"""Fine-tuning of latent diffusion models on clips with known depth: readers, the lesson, what is written."""
