"""Jobs: one clip, one configuration, one output folder; planned, run by shots, assembled."""
