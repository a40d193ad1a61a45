"""RollingDepth: overlapping snippets of several frame rates, co-aligned (Ke et al. 2024)."""
