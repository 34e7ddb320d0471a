"""Which knobs move with a knob of attention windows, so that window and pattern always go together."""

from typing import TypedDict

from slimlm.core.attention_choices import FULL, WINDOWED, reduced_pattern, regular_pattern

USUAL_WINDOW = 512
"""Window that a pattern with windowed layers gets where there is none."""

MOST_APART = 64
"""Most layers of which one is full, in the field that writes a regular pattern."""


class WindowKnobs(TypedDict):
    """Values of the knobs that depend on each other, by field."""

    window: int | None
    layer_pattern: str
    window_rope_theta: float | None


def with_window(window: int | None, knobs: WindowKnobs) -> WindowKnobs:
    """Return the knobs after a window was given or taken away: a first window is that of every layer."""
    pattern = knobs["layer_pattern"]
    if window is None:
        return _without_windows(pattern)
    return {**knobs, "window": window, "layer_pattern": pattern if WINDOWED in pattern else WINDOWED}


def with_pattern(pattern: str, knobs: WindowKnobs) -> WindowKnobs:
    """Return the knobs after a pattern was written: windowed layers get a window, which goes with the last of them."""
    if WINDOWED not in pattern:
        return _without_windows(pattern)
    return {**knobs, "window": knobs["window"] or USUAL_WINDOW, "layer_pattern": pattern}


def with_one_full_in(layers: int | None, knobs: WindowKnobs) -> WindowKnobs:
    """Return the knobs after a regular pattern was chosen: one full layer in so many; None is none."""
    return with_pattern(WINDOWED if layers is None else regular_pattern(layers), knobs)


def one_full_in(pattern: str) -> int | None:
    """Return the n of a regular pattern, in which every n-th layer is full; None for every other pattern.

    >>> one_full_in("wwwwwf"), one_full_in("f"), one_full_in("w"), one_full_in("wfff")
    (6, 1, None, None)
    """
    shortest = reduced_pattern(pattern)
    regular = shortest == regular_pattern(len(shortest)) and len(shortest) <= MOST_APART
    return len(shortest) if regular else None


def _without_windows(pattern: str) -> WindowKnobs:
    full = reduced_pattern(pattern.replace(WINDOWED, FULL))
    return {"window": None, "layer_pattern": full, "window_rope_theta": None}
