"""Grids of designs: two knobs varied, every other one held."""

from slimlm.sweep.grid import Axis, Cell, Sweep, sweep
from slimlm.sweep.metrics import METRICS, Metric, metric_of
from slimlm.sweep.table import sweep_csv
from slimlm.sweep.values import parse_values

__all__ = ["METRICS", "Axis", "Cell", "Metric", "Sweep", "metric_of", "parse_values", "sweep", "sweep_csv"]
