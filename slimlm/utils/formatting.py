"""Sizes, counts, shares and units as text, and sizes read from text."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from decimal import Decimal

_SUFFIXES = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_MOST_WRITTEN = 10**4000
# Patterns are text: `re` compiles and keeps them on first use, which `import slimlm` need not wait for.
_FLAGS = re.ASCII | re.IGNORECASE
_SIZE = (
    r"(\d{1,3}(?: \d{3})+|\d+(?:[_,]\d{3})*|\d+|\d*\.\d+|\d+\.\d*)(?:e(\d{1,2}))?"
    r" ?(k|thousand|m|million|b|billion|g|t|trillion)?"
)

_DECIMAL = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"
_NUMBER = rf"(?P<value>-?{_DECIMAL})(?:\s*(?P<percent>%)|\s*/\s*(?P<denominator>{_DECIMAL}))?"


def shown(value: object) -> str:
    """Return the repr of any value on one line of at most 40 printable characters, for an error message.

    >>> shown("10 M"), shown([0] * 1000)
    ("'10 M'", '[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...')
    """
    if isinstance(value, int) and abs(value) >= _MOST_WRITTEN:  # Python refuses to convert it, or takes seconds
        return "(a number of thousands of digits)"
    try:
        written = repr(value[:40] if isinstance(value, str | bytes) and len(value) > 40 else value)
    except Exception:  # __repr__ may raise anything; a deeply nested list raises RecursionError
        return f"({type(value).__name__})"
    line = "".join(letter if letter.isprintable() else " " for letter in written[:400])
    line = " ".join(line.split()) if line != written else line
    return line if len(line) <= 40 else f"{line[:37]}..."


def parse_size(text: str) -> int:
    """Read a whole number with an optional k, M, B or T, as a word too, thousands separators or an exponent.

    >>> [parse_size(text) for text in ("10M", "1.5B", "16k", "12_345", "50,257", "1e6", "10 million", "16 000")]
    [10000000, 1500000000, 16000, 12345, 50257, 1000000, 10000000, 16000]

    Raises ValueError when the text is not a size or not a whole number ("1.0005k").
    """
    found = re.fullmatch(_SIZE, " ".join(text.split()), _FLAGS) if isinstance(text, str) and len(text) <= 40 else None
    if not found:
        raise ValueError(f"{_quoted(text)} is not a size; write a number such as 10M, 1.5B, 16k, 12_345 or 12345678")
    digits, exponent, suffix = found.groups()
    power = int(exponent or 0) + _SUFFIXES[_one_letter(suffix or "")]
    value = _shifted(digits.translate(_SEPARATORS), power)
    if value != int(value):
        raise ValueError(f"{text!r} is {value:f}, which is not a whole number; write one such as {int(value)}")
    return int(value)


def parse_bytes(text: str) -> int:
    """Read a memory size in bytes, with an optional decimal unit.

    >>> [parse_bytes(text) for text in ("4GB", "800 MB", "1.5G", "64000000")]
    [4000000000, 800000000, 1500000000, 64000000]

    Raises ValueError when the text is not a size.
    """
    try:
        return parse_size(re.sub(r"(?<=[kmgt])b$", "", text.strip(), flags=re.IGNORECASE))
    except ValueError:
        raise ValueError(f"{_quoted(text)} is not a memory size; write one such as 4GB, 800MB or 64000000") from None


def parse_number(text: str) -> float:
    """Read a real number, a percentage or a fraction, to six decimals.

    >>> [parse_number(text) for text in ("0.35", "35 %", "8/3", "4")]
    [0.35, 0.35, 2.666667, 4.0]

    Raises ValueError when the text is none of these or the number is not finite.
    """
    found = re.fullmatch(_NUMBER, text.strip(), _FLAGS) if isinstance(text, str) and len(text) <= 40 else None
    if not found or (found["denominator"] and float(found["denominator"]) == 0):
        raise ValueError(f"{_quoted(text)} is not a number; write one such as 0.35, 35% or 8/3")
    value = float(found["value"]) / float(found["denominator"] or 1) / (100 if found["percent"] else 1)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is too large; write a number such as 0.35 or 2.66")
    return round(value, 6) if value > 1e-3 else value


def _shifted(number: int | str, power: int) -> "Decimal":
    """Return number · 10^power exactly, without trailing zeros."""
    from decimal import Context, Decimal

    exact = Context(prec=200)
    return Decimal(number).scaleb(power, exact).normalize(exact)


_SEPARATORS = str.maketrans("", "", "_, ")


def _one_letter(suffix: str) -> str:
    return "k" if suffix.lower() == "thousand" else suffix[:1].lower()


def _quoted(text: object) -> str:
    return repr(text[:40]) if isinstance(text, str) else shown(text)


def format_size(value: int) -> str:
    """Write a size exactly, with the largest suffix that makes it shorter; `parse_size` reads it back.

    >>> [format_size(value) for value in (10_000_000, 12_500_000, 16_000, 50_257, 3 * 10**12)]
    ['10M', '12.5M', '16k', '50257', '3T']
    """
    plain = str(value)
    for suffix, power in reversed(_COUNT_SUFFIXES):
        short = f"{_shifted(value, -power):f}{suffix}"
        if value >= 10**power and len(short) < len(plain):
            return short
    return plain


_Suffixes = tuple[tuple[str, int], ...]
_COUNT_SUFFIXES: _Suffixes = (("k", 3), ("M", 6), ("B", 9), ("T", 12))
_METRIC_PREFIXES: _Suffixes = (("k", 3), ("M", 6), ("G", 9), ("T", 12))


def _scaled(value: float, digits: int, suffixes: _Suffixes) -> str:
    """Round to `digits` significant digits, with the suffix that leaves at most three digits before the point.

    A value too small for the first suffix is a whole number; one too large for the last keeps all its digits.
    """
    rounds_up = 1 - 0.5 * 10**-digits
    for suffix, power in reversed(suffixes):
        scaled = value / 10**power
        if scaled >= 1000 * rounds_up:
            return f"{scaled:,.0f}{suffix}"
        if scaled >= rounds_up:
            return f"{max(scaled, 1.0):#.{digits}g}".rstrip(".") + suffix
    return f"{value:.0f}"


def format_count(value: float) -> str:
    """Round a count to four significant digits for a label; counts below 1,000 are whole.

    >>> [format_count(value) for value in (10_047_024, 3_456_000, 34_456, 864, 999_960, 1_994_900_000_000)]
    ['10.05M', '3.456M', '34.46k', '864', '1.000M', '1.995T']
    """
    return _scaled(round(value), 4, _COUNT_SUFFIXES)


def format_ratio(value: float) -> str:
    """Round a positive number to three significant digits, from 100 on to a whole number.

    >>> [format_ratio(value) for value in (2.656, 18, 113.8, 2272)]
    ['2.66', '18', '114', '2,272']
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def format_share(value: float) -> str:
    """Write a share as a percentage with one decimal; a positive share never reads "0 %".

    >>> [format_share(value) for value in (0.344, 0.0004, 0.0, 1.0)]
    ['34.4 %', '< 0.1 %', '0 %', '100.0 %']
    """
    if value == 0:
        return "0 %"
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def format_miss(value: float) -> str:
    """Write a relative deviation as a percentage with its sign.

    >>> [format_miss(value) for value in (0.0047, -0.053, 0.00002, 0.0)]
    ['+0.47 %', '−5.30 %', '±0 %', '±0 %']
    """
    written = f"{abs(100 * value):.2f} %"
    return "±0 %" if written == "0.00 %" else f"{'+' if value > 0 else '−'}{written}"


def format_bytes(value: float) -> str:
    """Write a memory size in decimal units, rounded to three significant digits.

    >>> [format_bytes(value) for value in (512, 40_188_096, 4_200_000_000, 3.2e12)]
    ['512 B', '40.2 MB', '4.20 GB', '3.20 TB']
    """
    return _with_unit(_scaled(value, 3, _METRIC_PREFIXES), "B")


def format_flops(value: float) -> str:
    """Write a number of operations, rounded to three significant digits; from 1,000 TFLOP on as a power of ten.

    >>> [format_flops(value) for value in (870, 311_653_564, 1.172e9, 1.882e18)]
    ['870 FLOP', '312 MFLOP', '1.17 GFLOP', '1.88 · 10¹⁸ FLOP']
    """
    if value >= 999.5e12:
        mantissa, _, exponent = f"{value:.2e}".partition("e+")
        return f"{mantissa} · 10{exponent.translate(_SUPERSCRIPTS)} FLOP"
    return _with_unit(_scaled(value, 3, _METRIC_PREFIXES), "FLOP")


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _with_unit(scaled: str, unit: str) -> str:
    """Put the prefix of a scaled number in front of its unit: 40.2 MB.

    >>> _with_unit("40.2M", "B"), _with_unit("512", "B")
    ('40.2 MB', '512 B')
    """
    number = scaled.rstrip("kMGT")
    return f"{number} {scaled[len(number) :]}{unit}"


def format_seconds(value: float) -> str:
    """Write a duration in the largest unit that keeps it precise, from milliseconds to years.

    >>> [format_seconds(value) for value in (0.0123, 1.5, 75.0, 5400, 7200.0, 7_776_000, 1e9)]
    ['12 ms', '1.5 s', '75 s', '90 min', '2.0 h', '90 days', '31.7 years']
    """
    if value < 0.9995:
        return f"{1000 * value:.0f} ms" if value >= 0.00095 else "< 1 ms"
    if value < 179.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    if (days := value / 86_400) < 2:
        return f"{value / 60:.0f} min" if value < 5970 else f"{value / 3600:.1f} h"
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:,.1f} years"


def format_usd(value: float) -> str:
    """Write a price in US dollars; below 100 dollars with cents.

    >>> [format_usd(value) for value in (3.456, 12_345.6)]
    ['$3.46', '$12,346']
    """
    return f"${value:,.2f}" if value < 99.995 else f"${value:,.0f}"


def format_whole(value: float) -> str:
    """Write a whole number with thousands separators.

    >>> format_whole(50_257)
    '50,257'
    """
    return f"{value:,.0f}"


def format_real(value: float) -> str:
    """Write a real number with three significant digits, from 1,000 on as a whole number.

    >>> [format_real(value) for value in (2.5185, 0.1, 1234.5)]
    ['2.52', '0.1', '1,234']
    """
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


Unit = Literal[
    "whole", "params", "real", "flops", "bytes", "tokens", "nats", "seconds", "usd", "tokens_per_second", "miss",
    "worst_miss", "share",
]  # fmt: skip

UNITS: dict[Unit, Callable[[float], str]] = {
    "whole": format_whole,
    "params": format_whole,
    "real": format_real,
    "flops": format_flops,
    "bytes": format_bytes,
    "tokens": format_count,
    "nats": lambda value: f"{value:.2f} nats",
    "seconds": format_seconds,
    "usd": format_usd,
    "tokens_per_second": lambda value: f"{value:,.0f} tokens/s" if value >= 99.5 else f"{value:.2g} tokens/s",
    "miss": format_miss,
    "worst_miss": lambda value: f"{100 * value:.2f} %",
    "share": format_share,
}
"""Number format of each unit."""

SHORT_UNITS: dict[Unit, Callable[[float], str]] = UNITS | {"params": format_count}
"""Number format of each unit where space is short: on charts and in differences."""
