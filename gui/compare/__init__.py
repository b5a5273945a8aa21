"""The Compare place: several runs in the same views, overlaid, side by side, or one minus another."""
