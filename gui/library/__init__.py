"""The Library place: every stored run, filtered, grouped, labelled, and handed on to be compared."""

from gui.library.place import Library

__all__ = ["Library"]
