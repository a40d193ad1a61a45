"""What all training shares: losses, the loop, checkpoints and the student."""
