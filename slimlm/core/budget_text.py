"""Budgets in words: what is counted, and an amount of it with its unit."""

import re

from slimlm.core.config import Budget, ModelConfig
from slimlm.core.precision import Precision
from slimlm.utils.formatting import format_bytes, format_count, format_size, parse_size

_LABELS: dict[Budget, str] = {
    "total": "Total parameters",
    "non_embedding": "Non-embedding",
    "active": "Active parameters",
}

_PREFIXES = {"k": "kB", "M": "MB", "B": "GB", "T": "TB"}


def budget_label(budget: Budget, precision: Precision = "int8") -> str:
    """Return the name of what a budget counts, as a heading.

    >>> budget_label("non_embedding"), budget_label("bytes", "int4")
    ('Non-embedding', 'Weights in int4')
    """
    return f"Weights in {precision}" if budget == "bytes" else _LABELS[budget]


def budget_noun(config: ModelConfig) -> str:
    """Return the unit of a request's budget, after a number: "parameters", "bytes in int8"."""
    if config.budget == "bytes":
        return f"bytes in {config.budget_precision}"
    return "parameters" if config.budget == "total" else f"{config.budget.replace('_', '-')} parameters"


def budget_amount(config: ModelConfig) -> str:
    """Return the budget of a request, exactly: a total alone needs no unit.

    >>> budget_amount(ModelConfig(budget="non_embedding"))
    '10M non-embedding'
    >>> budget_amount(ModelConfig(total_params=16_000_000, budget="bytes"))
    '16 MB in int8'
    """
    asked = write_bytes(config.total_params) if config.budget == "bytes" else format_size(config.total_params)
    return f"{asked}{budget_suffix(config)}"


def budget_suffix(config: ModelConfig) -> str:
    """Return what follows an amount of a request's budget: " non-embedding", " in int8", nothing for a total."""
    if config.budget == "bytes":
        return f" in {config.budget_precision}"
    return "" if config.budget == "total" else f" {config.budget.replace('_', '-')}"


def budget_params(config: ModelConfig) -> str:
    """Return the budget of a request with its noun, for a sentence: "10M non-embedding parameters"."""
    amount = budget_amount(config)
    return amount if config.budget == "bytes" else f"{amount} parameters"


def rounded_amount(config: ModelConfig, value: float) -> str:
    """Round an amount of a request's budget for a label: "10.05M", "15.9 MB".

    >>> rounded_amount(ModelConfig(), 10_047_024), rounded_amount(ModelConfig(budget="bytes"), 15_923_456)
    ('10.05M', '15.9 MB')
    """
    return format_bytes(value) if config.budget == "bytes" else format_count(value)


def write_bytes(value: int) -> str:
    """Write a number of bytes exactly, in decimal units; `read_bytes` reads it back.

    >>> [write_bytes(value) for value in (16_000_000, 16_000, 1_234_567)]
    ['16 MB', '16 kB', '1,234,567 bytes']
    """
    written = format_size(value)
    if written[-1] in _PREFIXES:
        return f"{written[:-1]} {_PREFIXES[written[-1]]}"
    return f"{value:,} bytes"


def read_bytes(text: str) -> int:
    """Read a number of bytes: a size, perhaps with its unit.

    >>> [read_bytes(text) for text in ("16 MB", "16M", "1.5GB", "1,234,567 bytes", "16 MB in int8")]
    [16000000, 16000000, 1500000000, 1234567, 16000000]

    Raises ValueError when the text is not a size.
    """
    plain = re.sub(r"\s+in\s+\w+\s*$", "", text)
    return parse_size(re.sub(r"(?i)(?<=[kmgt])b\s*$|\s*bytes?\s*$", "", plain))
