"""ChronoDepth: windows of new frames after frames that are done (Shao et al., CVPR 2025)."""
