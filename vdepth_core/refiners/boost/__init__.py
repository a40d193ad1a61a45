"""Boosting (Miangoleh et al., CVPR 2021): sharp depth at a picture's own size, of any per-frame model."""
