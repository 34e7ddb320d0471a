"""Where labels go beside points, so that none covers another label or a point."""

from collections.abc import Iterable, Sequence

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
