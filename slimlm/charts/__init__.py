"""Charts: functions from data to figures, with one palette and one look."""

from slimlm.charts.allocation import allocation_chart
from slimlm.charts.layer_profile import layer_profile_chart
from slimlm.charts.tradeoff import tradeoff_chart

__all__ = ["allocation_chart", "layer_profile_chart", "tradeoff_chart"]
