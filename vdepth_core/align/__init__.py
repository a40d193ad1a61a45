"""Scale and shift: one pair of maps (`scale_shift`), a shot's frames (`pairs`), its snippets (`joint`)."""
