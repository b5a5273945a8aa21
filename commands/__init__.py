"""What the command line does beyond parsing, a file for each larger command."""
