"""Studies in the window: asked for, watched, drawn as a phase diagram."""
