"""Readers of config.json files whose layers differ: hybrids with recurrent layers, and layers of different widths."""

from slimlm.interop.layered.kinds import LAYERED
from slimlm.interop.layered.read import layered_model, linked_layered

__all__ = ["LAYERED", "layered_model", "linked_layered"]
