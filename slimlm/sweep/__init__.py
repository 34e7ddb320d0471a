"""Sweeps: a grid of designs with two knobs varied and all others fixed."""

from slimlm.sweep.axis_values import parse_values
from slimlm.sweep.best import Best, best_cell, best_line
from slimlm.sweep.csv import sweep_csv
from slimlm.sweep.grid import Axis, Cell, Sweep, sweep
from slimlm.sweep.metrics import METRICS, Metric, metric_of

__all__ = [
    "METRICS",
    "Axis",
    "Best",
    "Cell",
    "Metric",
    "Sweep",
    "best_cell",
    "best_line",
    "metric_of",
    "parse_values",
    "sweep",
    "sweep_csv",
]
