"""The rules that arguments of the cost functions obey, and the sentence for one that does not."""

import math
from collections.abc import Iterable


def check_whole(**counts: int) -> None:
    """Raise ValueError for the first argument that is no whole number of at least 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} is not allowed: it must be a whole number of at least 1; 1 would work")


def check_positive(**amounts: float) -> None:
    """Raise ValueError for the first argument that is no finite number above 0."""
    for name, value in amounts.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"{name}={value!r} is not allowed: it must be a finite number above 0; 1 would work")


def check_option(name: str, value: str, options: Iterable[str]) -> None:
    """Raise ValueError for a word that is not one of a few."""
    words = [repr(option) for option in options]
    if repr(value) not in words:
        raise ValueError(
            f"{name}={value!r} is not allowed: it must be one of {', '.join(words)}; {name}={words[0]} would work"
        )
