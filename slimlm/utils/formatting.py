"""Sizes, counts, shares and units as text, and sizes read from text."""

import math
import re
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Literal

_EXACT = Context(prec=200)
_SUFFIXES = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_MOST_WRITTEN = 10**4000
_SIZE = re.compile(r"(\d+(?:[_,]\d{3})*|\d+|\d*\.\d+|\d+\.\d*)(?:e(\d{1,2}))?([kmbgt]?)", re.ASCII | re.IGNORECASE)

_DECIMAL = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"
_NUMBER = re.compile(
    rf"(?P<value>-?{_DECIMAL})(?:\s*(?P<percent>%)|\s*/\s*(?P<denominator>{_DECIMAL}))?", re.ASCII | re.IGNORECASE
)


def shown(value: object) -> str:
    """Write any value for an error message: as Python would, on one line of at most 40 printable characters.

    >>> shown("10 M"), shown([0] * 1000)
    ("'10 M'", '[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...')
    """
    if isinstance(value, int) and abs(value) >= _MOST_WRITTEN:  # Python refuses to write it, or takes long
        return "(a number of thousands of digits)"
    try:
        written = repr(value[:40] if isinstance(value, str | bytes) and len(value) > 40 else value)
    except Exception:  # whatever somebody else's class, or a list that holds itself a thousand times over, does
        return f"({type(value).__name__})"
    line = "".join(letter if letter.isprintable() else " " for letter in written[:400])
    line = " ".join(line.split()) if line != written else line
    return line if len(line) <= 40 else f"{line[:37]}..."


def parse_size(text: str) -> int:
    """Read a whole number as people write it: with a k, M, B or T suffix, thousands separators or an exponent.

    >>> [parse_size(text) for text in ("10M", "1.5B", "16k", "12_345", "50,257", "1e6")]
    [10000000, 1500000000, 16000, 12345, 50257, 1000000]

    Raises ValueError when the text is no size, or no whole number ("1.0005k").
    """
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 40 else None
    if not found:
        raise ValueError(f"{_quoted(text)} is not a size; write a number such as 10M, 1.5B, 16k, 12_345 or 12345678")
    digits, exponent, suffix = found.groups()
    power = int(exponent or 0) + _SUFFIXES[suffix.lower()]
    value = Decimal(digits.replace("_", "").replace(",", "")).scaleb(power, _EXACT)
    if value != int(value):
        raise ValueError(f"{text!r} is {value:f}, which is not a whole number; write one such as {int(value)}")
    return int(value)


def parse_number(text: str) -> float:
    """Read a real number, a percentage or a fraction, to six decimals.

    >>> [parse_number(text) for text in ("0.35", "35 %", "8/3", "4")]
    [0.35, 0.35, 2.666667, 4.0]

    Raises ValueError when the text is none of these, or not finite.
    """
    found = _NUMBER.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 40 else None
    if not found or (found["denominator"] and float(found["denominator"]) == 0):
        raise ValueError(f"{_quoted(text)} is not a number; write one such as 0.35, 35% or 8/3")
    value = float(found["value"]) / float(found["denominator"] or 1) / (100 if found["percent"] else 1)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is too large; write a number such as 0.35 or 2.66")
    return round(value, 6) if value > 1e-3 else value


def _quoted(text: object) -> str:
    return repr(text[:40]) if isinstance(text, str) else shown(text)


def format_size(value: int) -> str:
    """Write a size exactly, in the shortest form that `parse_size` reads back.

    >>> [format_size(value) for value in (10_000_000, 12_500_000, 16_000, 50_257)]
    ['10M', '12.5M', '16k', '50257']
    """
    plain = str(value)
    for suffix, power in (("B", 9), ("M", 6), ("k", 3)):
        short = f"{(Decimal(value).scaleb(-power, _EXACT)).normalize(_EXACT):f}{suffix}"
        if value >= 10**power and len(short) < len(plain):
            return short
    return plain


def format_count(value: int) -> str:
    """Round a count to four significant digits for a label; small counts are exact.

    >>> [format_count(value) for value in (10_047_024, 3_456_000, 34_456, 864, 999_960)]
    ['10.05M', '3.456M', '34.46k', '864', '1.000M']
    """
    if value < 1000:
        return str(value)
    suffix, power = next(((s, p) for s, p in (("k", 3), ("M", 6)) if value < 999.95 * 10**p), ("B", 9))
    scaled = value / 10**power
    return f"{scaled:.{3 if scaled < 9.9995 else 2 if scaled < 99.995 else 1}f}{suffix}"


def format_share(value: float) -> str:
    """Write a share of one as a percentage with one decimal; a share too small for it is not called zero.

    >>> [format_share(value) for value in (0.344, 0.0004, 0.0, 1.0)]
    ['34.4 %', '< 0.1 %', '0 %', '100.0 %']
    """
    if value == 0:
        return "0 %"
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def format_miss(value: float) -> str:
    """Write a relative miss with its sign.

    >>> [format_miss(value) for value in (0.0047, -0.053, 0.00002, 0.0)]
    ['+0.47 %', '−5.30 %', '+0.00 %', '±0 %']
    """
    if value == 0:
        return "±0 %"
    return f"{'+' if value > 0 else '−'}{abs(100 * value):.2f} %"


def format_bytes(value: float) -> str:
    """Write a size in memory in decimal units.

    >>> [format_bytes(value) for value in (512, 40_188_096, 4_200_000_000)]
    ['512 B', '40.2 MB', '4.20 GB']
    """
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        scaled = value / 10**power
        if scaled >= 0.9995:
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return f"{value:.0f} B"


def format_seconds(value: float) -> str:
    """Write a duration in the unit in which it is read most easily.

    >>> [format_seconds(value) for value in (0.0123, 1.5, 75.0, 7200.0)]
    ['12 ms', '1.5 s', '75 s', '2.0 h']
    """
    if value < 0.9995:
        return f"{1000 * value:.0f} ms" if value >= 0.00095 else "< 1 ms"
    if value < 179.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5970 else f"{value / 3600:.1f} h"


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
