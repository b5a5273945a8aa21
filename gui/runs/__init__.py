"""What the window knows as a run: live, stored, or written elsewhere."""
