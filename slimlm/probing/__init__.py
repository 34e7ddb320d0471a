"""Checks of the PyTorch model against its account: counted, run and timed, whole or streamed."""
