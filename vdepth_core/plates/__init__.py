"""Clean plates: what a shot's frames show of the background that others of them hide."""
