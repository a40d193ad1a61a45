"""Scale and shift: of one pair of maps (`scale_shift`) and of all frames of a shot together (`joint`)."""
