"""What is made of a finished sequence: its ground and horizon."""
