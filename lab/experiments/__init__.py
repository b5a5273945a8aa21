"""One file per experiment, found by discovery (lab.registry)."""
