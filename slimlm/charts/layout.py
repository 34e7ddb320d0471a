"""Tick positions on linear and log axes, and label positions that overlap nothing."""

import math
from collections.abc import Iterable, Sequence

_STEPS = (1, 2, 2.5, 5, 10)
_FINE = (1, 1.5, 2, 3, 4, 5, 7)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Return up to `most` round numbers from low to high, evenly spaced; the ends themselves when there are none.

    >>> round_ticks(0.05, 0.85, 5), round_ticks(17, 1300, 4)
    ([0.2, 0.4, 0.6, 0.8], [500.0, 1000.0])
    """
    span = high - low
    if span <= 0:
        return [low]
    magnitude = 10.0 ** math.floor(math.log10(span / most))
    for step in (magnitude * factor for factor in (*_STEPS, *(10 * factor for factor in _STEPS))):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            ticks = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
            return ticks if len(ticks) > 1 else [low, high][:most]
    raise AssertionError(f"no step divides {low}..{high}")


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return up to `most` round numbers from low to high for an axis on a log scale.

    >>> log_ticks(17, 1300, 8), log_ticks(20.3, 127, 7)
    ([20.0, 50.0, 100.0, 200.0, 500.0, 1000.0], [30.0, 40.0, 50.0, 70.0, 100.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas, every in ((_FINE, 1), ((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 3), ((1,), 6)):
        ticks = [float(f"{m}e{power}") for power in powers if power % every == 0 for m in mantissas]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= most:
            return ticks if len(ticks) > 1 else [low, high][:most]
    return [low, high][:most]


def place_among(value: float, ascending: Sequence[float]) -> float:
    """Return where a value lies among ascending ones, counted from 0, between two places where it is none of them.

    >>> place_among(25, (10, 20, 30)), place_among(10, (10, 20, 30))
    (1.5, 0.0)
    """
    after = next((place for place, other in enumerate(ascending) if other >= value), len(ascending) - 1)
    if after == 0:
        return 0.0
    before, beyond = ascending[after - 1], ascending[after]
    return after - 1 + (value - before) / (beyond - before)


Box = tuple[float, float, float, float]
"""Left, right, top, bottom."""

_AWAY, _RADIUS, _HEIGHT = 12.0, 8.0, 16.0


def free_sides(
    points: Sequence[tuple[float, float]], widths: Sequence[float], width: float, order: Iterable[int] | None = None
) -> list[str]:
    """Return for each point the side at which its label starts: "left", "right", or "" where there is no room.

    Points and widths of labels are in pixels, of a figure of some width; those named first in `order` choose first.

    >>> free_sides([(40, 100), (190, 40), (150, 100)], [80, 80, 80], 200)
    ['left', 'right', '']
    """
    taken: list[Box] = [(x - _RADIUS, x + _RADIUS, y - 7, y + 7) for x, y in points]
    sides = [""] * len(points)
    for place in range(len(points)) if order is None else order:
        (x, y), wide = points[place], widths[place]
        for side, start in (("left", x + _AWAY), ("right", x - wide - _AWAY)):
            box = (start, start + wide, y - _HEIGHT, y)
            if start > 0 and box[1] < width and not any(_overlap(box, other) for other in taken):
                sides[place] = side
                taken.append(box)
                break
    return sides


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
