"""The Lab place: one run, live or stored, with its catalogue, knobs, views and transport."""
