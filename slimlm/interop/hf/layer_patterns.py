"""Patterns of layers by model type, as configuration classes of transformers 5.23 make them where no list is given."""

from collections.abc import Callable
from typing import Any

from slimlm.core.attention_choices import FULL, LONGEST_PATTERN, UNROTATED, WINDOWED, regular_pattern
from slimlm.interop.hf.family import Reader, not_allowed, not_supported

_SLIDING = "sliding_attention"


def everywhere(_reader: Reader, _n_layers: int) -> str:
    """Return the pattern of a type whose layers all have a window."""
    return WINDOWED


def every_second(_reader: Reader, _n_layers: int) -> str:
    """Return the pattern of Gemma 2: layers with and without a window in turn."""
    return regular_pattern(2)


def one_full_in(default: int, key: str = "") -> Callable[[Reader, int], str]:
    """Return the pattern in which every so many layers, which a key may say, the last is full."""

    def pattern(reader: Reader, n_layers: int) -> str:
        every = reader.get(key) if key else None
        every = default if every is None else every
        assert reader.family.windows
        full = reader.family.windows.full
        if isinstance(every, str) and every and set(every) <= {"L", "G"}:  # EXAONE names the layers of a period
            return every[: _repeatable(key, len(every))].replace("L", WINDOWED).replace("G", full)
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise not_allowed(key, every, f"it must be a whole number of at least 1, such as {default}")
        return WINDOWED if every > n_layers else regular_pattern(_repeatable(key, every)).replace(FULL, full)

    return pattern


def _repeatable(key: str, layers: int) -> int:
    if layers > LONGEST_PATTERN:
        raise not_supported(
            key, layers, f"slimlm repeats at most {LONGEST_PATTERN} layers; {key}={LONGEST_PATTERN} would work"
        )
    return layers


def first_full(_reader: Reader, _n_layers: int) -> str:
    """Return the pattern of CWM: one full layer, then three with a window."""
    return FULL + 3 * WINDOWED


def after_full_ones(reader: Reader, n_layers: int) -> str:
    """Return the pattern of Qwen2: layers from max_window_layers on have a window."""
    first = reader.get("max_window_layers")
    if isinstance(first, bool) or not isinstance(first, int) or first < 0:
        raise not_allowed("max_window_layers", first, "it must be a whole number of at least 0")
    if first >= n_layers:
        return FULL
    if first == 0:
        return WINDOWED
    if n_layers > LONGEST_PATTERN:
        layers = f"{LONGEST_PATTERN} of num_hidden_layers={n_layers:,}"
        reason = f"slimlm repeats at most {layers}; max_window_layers=0 or {n_layers} would work"
        raise not_supported("max_window_layers", first, reason)
    return FULL * first + WINDOWED * (n_layers - first)


def without_rotation(reader: Reader, n_layers: int) -> str:
    """Return the pattern of SmolLM3: layers that keys leave without rotary positions, and those that have a window.

    A layer with a window and without rotary positions, of which slimlm has none, is taken for one without a window.
    """
    rotated = _rotated(reader, n_layers)
    listed = _listed(reader, n_layers)
    if listed is None:
        return "".join(FULL if turned else UNROTATED for turned in rotated)
    kinds = zip(rotated * -(-n_layers // len(rotated)), listed, strict=False)
    return "".join((WINDOWED if name == _SLIDING else FULL) if turned else UNROTATED for turned, name in kinds)


def _listed(reader: Reader, n_layers: int) -> list[Any] | None:
    """Return the kinds of the layers of a SmolLM3 with windows, if it names them."""
    listed = reader.get("layer_types") if _slides(reader) else None
    if listed is not None and (not isinstance(listed, list) or len(listed) != n_layers):
        rule = f"it must be a list of {reader.key('n_layers')}={n_layers} kinds or null"
        raise not_allowed("layer_types", listed, rule)
    return listed


def _slides(reader: Reader) -> bool:
    return bool(reader.get("use_sliding_window")) and reader.get("sliding_window") is not None


def windowed_without_rotation(reader: Reader, n_layers: int) -> int:
    """Return how many layers of a SmolLM3 have a window and no rotary positions."""
    if "no_rope_layers" not in reader.family.extras or not _slides(reader):
        return 0
    rotated, listed = _rotated(reader, n_layers), _listed(reader, n_layers)
    if listed is None:  # then these layers alone have a window
        repeats, rest = divmod(n_layers, len(rotated))
        return repeats * sum(not turned for turned in rotated) + sum(not turned for turned in rotated[:rest])
    kinds = zip(rotated * -(-n_layers // len(rotated)), listed, strict=False)
    return sum(name == _SLIDING and not turned for turned, name in kinds)


def _rotated(reader: Reader, n_layers: int) -> list[Any]:
    """Return which layers have rotary positions: all of them, or a period."""
    layers, interval = reader.get("no_rope_layers"), reader.get("no_rope_layer_interval")
    if layers is not None:
        if not isinstance(layers, list) or len(layers) < n_layers:
            rule = (
                f"it must be a list of {reader.key('n_layers')}={n_layers} numbers, 0 for no rotary positions, or null"
            )
            raise not_allowed("no_rope_layers", layers, rule)
        return layers[:n_layers]
    if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
        raise not_allowed("no_rope_layer_interval", interval, "it must be a whole number of at least 1")
    return [True] if interval > n_layers else [True] * (_repeatable("no_rope_layer_interval", interval) - 1) + [False]


def by_attention_types(reader: Reader, n_layers: int) -> str:
    """Return the pattern of GPT-Neo: pairs of kinds, global or local, and of how often they are repeated."""
    types = reader.get("attention_types")
    if types is None:
        return FULL + WINDOWED
    try:
        parts = [
            ("".join({"global": FULL, "local": WINDOWED}[kind] for kind in kinds), times) for kinds, times in types
        ]
        total = sum(len(kinds) * max(0, times) for kinds, times in parts)
    except (TypeError, ValueError, KeyError):
        total, parts = -1, []
    if total != n_layers:
        rule = f'it must name {reader.key("n_layers")}={n_layers} layers, such as [[["global"], {n_layers}]]'
        raise not_allowed("attention_types", types, rule)
    if len(parts) == 1:
        return parts[0][0]
    if total > LONGEST_PATTERN * LONGEST_PATTERN:
        raise not_supported("attention_types", types, f"slimlm repeats at most {LONGEST_PATTERN} layers")
    return "".join(kinds * times for kinds, times in parts)
