"""Studies: the cells, runs, learning rates, controls and records of a ranking by training; without PyTorch."""
