"""What slimlm costs beside its peers: `make bench`. It prints one table and asserts nothing about time."""
