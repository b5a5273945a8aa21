"""Runs that wait for their turn, in the window."""
