"""`windowed`: networks that see a window of frames at once, over shots of any length."""
