"""Engines: what trains the runs of a study, on this machine, under torchrun or on a Ray cluster."""
