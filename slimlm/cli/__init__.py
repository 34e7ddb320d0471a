"""The command line: `python -m slimlm`."""
