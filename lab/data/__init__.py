"""Data sets and teachers that experiments share."""
