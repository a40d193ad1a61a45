"""Published ways to learn depth from video, one a file: what a system compares, by which losses, how fast."""
