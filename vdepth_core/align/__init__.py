"""Scale and shift: of one pair of maps (`scale_shift`), of a shot's frames (`pairs`) or its snippets (`joint`)."""
