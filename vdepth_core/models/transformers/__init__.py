"""Published depth networks as the transformers library has them."""
