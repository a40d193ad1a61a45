"""Frame by frame, then co-alignment and filtering along optical flow."""
