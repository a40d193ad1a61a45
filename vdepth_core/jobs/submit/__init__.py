"""Jobs for render farms: files that a farm's own tools take; nothing is sent, and no clip is read."""
