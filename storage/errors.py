"""What goes wrong with run files: always one line that says what, which file, and the remedy."""


class RunFileError(Exception):
    """A run file cannot be opened, read or written."""


class NameTaken(RunFileError):
    """There is a file of this name already."""


class StorageFull(RunFileError):
    """The disk is full or the folder cannot be written. Nothing recorded is lost: free space and flush, or relocate."""
