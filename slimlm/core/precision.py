"""Number formats of stored weights and caches, with their bits."""

from typing import Literal

Precision = Literal["fp32", "bf16", "int8", "int4"]

BITS: dict[Precision, int] = {"fp32": 32, "bf16": 16, "int8": 8, "int4": 4}
"""Bits per number."""
