"""Which layers of a Hugging Face config attend to a window, which to everything, and which without rotary positions."""

from collections.abc import Mapping
from typing import Any

from slimlm.core.attention_choices import FULL, LONGEST_PATTERN, UNROTATED, WINDOWED, shortest_pattern
from slimlm.interop.hf.family import Reader, Windows, not_allowed, not_supported

_LISTED = {"sliding_attention": WINDOWED, "full_attention": FULL}
_NONE = (-1, 0)
"""Numbers of tokens that mean no window, as null does."""


def layer_fields(reader: Reader, n_layers: int, rope_theta: Any) -> dict[str, Any]:
    """Return window, pattern and local base of a config's layers; positions too where no layer has rotary ones.

    Raises ValueError, in one sentence that names the key, for what is no window, no list of layers or no pattern.
    """
    windows = reader.family.windows
    if windows is None:
        return {}
    window = window_of(reader, windows)
    if window is None and windows.without is not None:
        pattern = windows.without
    else:
        pattern = _shortest(_pattern(reader, windows, n_layers), n_layers, windows.names)
    if window is None:
        pattern = pattern.replace(WINDOWED, FULL)
    if pattern == UNROTATED:
        return {"positions": "none"}
    found: dict[str, Any] = {"layer_pattern": pattern}
    return found | {"window": window} | _local_base(reader, windows, rope_theta) if WINDOWED in pattern else found


def window_of(reader: Reader, windows: Windows) -> int | None:
    """Return the tokens of a window; None where there is none.

    Raises ValueError for anything but a whole number or null.
    """
    value = reader.get(windows.key)
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise not_allowed(windows.key, value, "it must be a whole number, or null for no window")
    off = "use_sliding_window" in reader.family.extras and not reader.get("use_sliding_window")
    return None if off or value in _NONE else value


def _pattern(reader: Reader, windows: Windows, n_layers: int) -> str:
    listed = reader.get("layer_types") if windows.listed else None
    if listed is None:
        return windows.pattern(reader, n_layers)
    if not isinstance(listed, list) or len(listed) != n_layers:
        raise not_allowed(
            "layer_types", listed, f"it must be a list of {reader.key('n_layers')}={n_layers} kinds or null"
        )
    for name in listed:
        if not isinstance(name, str) or name not in _LISTED:
            raise not_supported("layer_types", name, f"slimlm's layers have {' or '.join(_LISTED)}")
    return "".join(windows.full if name == "full_attention" else WINDOWED for name in listed)


def _shortest(pattern: str, n_layers: int, key: str) -> str:
    """Return the shortest pattern of as many layers: the first ones of a pattern may repeat a shorter one."""
    repeated = pattern * 2 if n_layers > len(pattern) else pattern
    found = shortest_pattern(repeated[: min(n_layers, 2 * LONGEST_PATTERN + 1)])
    whole = (found * (len(pattern) // len(found) + 1))[: len(pattern)]
    if len(found) > LONGEST_PATTERN or whole[:n_layers] != pattern[:n_layers]:
        reason = f"slimlm repeats at most {LONGEST_PATTERN} layers, and these do not repeat"
        raise not_supported(key, f"{pattern[:20]}...", reason)
    return found


def _local_base(reader: Reader, windows: Windows, rope_theta: Any) -> dict[str, Any]:
    if windows.local_base is None:
        return {}
    (key, default), given = windows.local_base, reader.get("rope_parameters")
    nested = given.get("sliding_attention") if isinstance(given, Mapping) else None
    base = nested.get("rope_theta") if isinstance(nested, Mapping) else None
    base = reader.get(key) if base is None else base
    base = default if base is None else base
    return {} if base == rope_theta else {"window_rope_theta": base}
