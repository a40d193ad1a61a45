"""Methods: how a model is run over a shot, and what is made of its predictions."""
