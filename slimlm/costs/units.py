"""Costs as people write them: amounts that go beyond those of a design."""

from collections.abc import Callable
from typing import Literal

from slimlm.units import format_bytes, format_count, format_miss, format_seconds, format_share

Unit = Literal["flops", "bytes", "tokens", "nats", "seconds", "usd", "tokens_per_second", "miss", "share"]

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_flops(value: float) -> str:
    """Write a number of operations with three digits; beyond 1,000 TFLOP as a power of ten.

    >>> [format_flops(value) for value in (870, 311_653_564, 1.172e9, 1.882e18)]
    ['870 FLOP', '312 MFLOP', '1.17 GFLOP', '1.88 · 10¹⁸ FLOP']
    """
    if value >= 999.5e12:
        mantissa, _, exponent = f"{value:.2e}".partition("e+")
        return f"{mantissa} · 10{exponent.translate(_SUPERSCRIPTS)} FLOP"
    for prefix, power in (("T", 12), ("G", 9), ("M", 6), ("k", 3)):
        scaled = value / 10**power
        if scaled >= 0.9995:
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {prefix}FLOP"
    return f"{value:.0f} FLOP"


def format_storage(value: float) -> str:
    """Write a size in memory as `format_bytes` does, and from 1,000 GB on in TB.

    >>> [format_storage(value) for value in (40_188_096, 3.2e12)]
    ['40.2 MB', '3.2 TB']
    """
    return f"{value / 1e12:,.1f} TB" if value >= 0.9995e12 else format_bytes(value)


def format_tokens(value: float) -> str:
    """Write a number of tokens, and from 1,000 billion on in T.

    >>> [format_tokens(value) for value in (200_940_480, 15e12)]
    ['200.9M', '15.0T']
    """
    return f"{value / 1e12:,.1f}T" if value >= 999.95e9 else format_count(round(value))


def format_duration(value: float) -> str:
    """Write a time as `format_seconds` does, and from two days on in days or years.

    >>> [format_duration(value) for value in (5400, 7_776_000, 1e9)]
    ['90 min', '90 days', '31.7 years']
    """
    days = value / 86_400
    if days < 2:
        return format_seconds(value)
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:,.1f} years"


def format_usd(value: float) -> str:
    """Write a price, below 100 dollars with cents.

    >>> [format_usd(value) for value in (3.456, 12_345.6)]
    ['$3.46', '$12,346']
    """
    return f"${value:,.2f}" if value < 99.995 else f"${value:,.0f}"


UNITS: dict[Unit, Callable[[float], str]] = {
    "flops": format_flops,
    "bytes": format_storage,
    "tokens": format_tokens,
    "nats": lambda value: f"{value:.2f} nats",
    "seconds": format_duration,
    "usd": format_usd,
    "tokens_per_second": lambda value: f"{value:,.0f} tokens/s" if value >= 99.5 else f"{value:.2g} tokens/s",
    "miss": format_miss,
    "share": format_share,
}
"""How each unit is written."""
