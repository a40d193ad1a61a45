"""One command's clips on many workers: what is a task, who gets it, what becomes of it; workers anywhere."""
