"""Tick positions on linear and log axes, and label positions without overlaps."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_STEPS = (1, 2, 2.5, 5, 10, 20)  # 10 is coarse enough but for rounding
_FINE = (1, 1.5, 2, 3, 4, 5, 7)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Return up to `most` round numbers from low to high, evenly spaced; both ends where fewer than two fit.

    >>> round_ticks(0.05, 0.85, 5), round_ticks(17, 1300, 4)
    ([0.2, 0.4, 0.6, 0.8], [500.0, 1000.0])
    """
    span = high - low
    if span <= 0:
        return [low]
    magnitude = 10.0 ** math.floor(math.log10(span / most))
    candidates = (_multiples(magnitude * factor, low, high) for factor in _STEPS)
    ticks = next(multiples for multiples in candidates if len(multiples) <= most)
    return ticks if len(ticks) > 1 else [low, high][:most]


class AxisScale(NamedTuple):
    """One axis: its ends, whether it is logarithmic, and its ticks with their labels."""

    ends: tuple[float, float]
    log: bool
    ticks: dict[float, str]

    def share(self, value: float) -> float:
        """Return the position of a value along the axis: 0 at its start, 1 at its end."""
        low, high, at = (math.log(v) for v in (*self.ends, value)) if self.log else (*self.ends, value)
        return (at - low) / (high - low)


def _multiples(step: float, low: float, high: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


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


def tick_format(ticks: Sequence[float], most: int = 6) -> str:
    """Return the d3 format that writes all ticks with as many decimals as one of them needs.

    >>> tick_format([6.75, 7.0]), tick_format([4.0, 5.0])
    (',.2f', ',.0f')
    """
    decimals = next((n for n in range(most) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks)), most)
    return f",.{decimals}f"


def interpolated_index(value: float, ascending: Sequence[float]) -> float:
    """Return the index of a value in an ascending sequence, interpolated between the two values around it.

    >>> interpolated_index(25, (10, 20, 30)), interpolated_index(10, (10, 20, 30))
    (1.5, 0.0)
    """
    above = next((index for index, other in enumerate(ascending) if other >= value), len(ascending) - 1)
    if above == 0:
        return 0.0
    low, high = ascending[above - 1], ascending[above]
    return above - 1 + (value - low) / (high - low)


class _Box(NamedTuple):
    """The area of a label or a point, in pixels."""

    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: "_Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


_DISTANCE, _RADIUS, _HEIGHT = 12.0, 8.0, 16.0


def label_alignments(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    width: float,
    order: Iterable[int] | None = None,
    always: int = 0,
) -> list[str]:
    """Return the text alignment of each point's label: "left" (right of the point), "right", or "" where neither fits.

    Points, label widths and the figure's width are in pixels. The points are labelled in the given order; the labels of
    the first `always` points may cover others where they have to.

    >>> label_alignments([(40, 100), (190, 40), (150, 100)], [80, 80, 80], 200)
    ['left', 'right', '']
    """
    taken = [_Box(x - _RADIUS, x + _RADIUS, y - 7, y + 7) for x, y in points]
    alignments = [""] * len(points)
    for index in range(len(points)) if order is None else order:
        (x, y), label_width = points[index], widths[index]
        starts = {"left": x + _DISTANCE, "right": x - label_width - _DISTANCE}
        boxes = {side: _Box(start, start + label_width, y - _HEIGHT, y) for side, start in starts.items()}
        inside = [side for side, box in boxes.items() if box.left > 0 and box.right < width]
        free = [side for side in inside if not any(map(boxes[side].overlaps, taken))]
        for side in (free or inside if index < always else free)[:1]:
            alignments[index] = side
            taken.append(boxes[side])
    return alignments
