"""Icons, style sheet and other data files of the window, found with importlib.resources."""
