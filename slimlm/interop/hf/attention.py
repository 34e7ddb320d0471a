"""What a Hugging Face config says about rotation, factors and caps, and with them about windows."""

import math
from collections.abc import Mapping
from typing import Any

from slimlm.interop.hf.family import Reader, not_allowed
from slimlm.interop.hf.windows import layer_fields

_LOW, _HIGH, _LARGEST = 1e-9, 1e9, 10**15


def attention_fields(reader: Reader, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `AttentionChoices`, given those of a config's sizes and structure.

    Raises ValueError, in one sentence that names the key, for values of another kind or beyond their limits.
    """
    n_layers, width = fields["n_layers"], _head_width(fields)
    if n_layers < 1 or not 1 <= width <= _LARGEST:  # not an architecture, as that will say
        return {}
    rope = fields["positions"] == "rope"
    found = layer_fields(reader, n_layers, fields.get("rope_theta") if rope else None)
    found |= _factors(reader)
    if _is(found.get("attention_scale", fields.get("attention_scale")), 1 / math.sqrt(width)):
        found["attention_scale"] = None
    if rope and found.get("positions", "rope") == "rope":
        found |= _rotation(reader, width)
    return found


def attention_keys(reader: Reader) -> dict[str, str]:
    """Return field of `AttentionChoices` → the key that gives it, for those that one key gives."""
    share = next((key for key in ("rotary_pct", "partial_rotary_factor") if key in reader.family.extras), None)
    keys: dict[str, str] = {"rotary_share": share or "partial_rotary_factor"}
    if reader.family.windows:
        keys["window"] = reader.family.windows.key
        keys["window_rope_theta"] = (reader.family.windows.local_base or ("rope_theta", 0))[0]
    return keys


def _head_width(fields: Mapping[str, Any]) -> int:
    head_dim, n_heads, d_model = fields["head_dim"], fields["n_heads"], fields["d_model"]
    if head_dim is not None:
        return int(head_dim)
    return d_model // n_heads if n_heads > 0 else 0


def _is(scale: float | None, usual: float) -> bool:
    return scale is not None and math.isclose(scale, usual, rel_tol=1e-6)


def _factors(reader: Reader) -> dict[str, float]:
    found = {}
    for key, factor in reader.family.factors.items():
        value = reader.get(key)
        if value is not None:
            found[factor.field] = factor.of(_number(key, value))
    return found


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LOW <= value <= _HIGH:
        raise not_allowed(key, value, f"it must be a number between {_LOW:g} and {_HIGH:g} or null")
    return float(value)


def _rotation(reader: Reader, head_width: int) -> dict[str, Any]:
    """Return the part of each head that is rotated: a share, or a number of its elements."""
    family = reader.family
    if family.rotary_share is not None:
        given = reader.rope().get("partial_rotary_factor")
        key = "rotary_pct" if "rotary_pct" in family.extras else "partial_rotary_factor"
        share = reader.get(key) if given is None else given
        return {"rotary_share": family.rotary_share if share is None else share}
    if "rotary_dim" in family.extras:
        turned = reader.get("rotary_dim")
        if isinstance(turned, bool) or not isinstance(turned, int) or turned < 1:
            raise not_allowed("rotary_dim", turned, "it must be a whole number of at least 1")
        return {"rotary_share": _share(min(turned, head_width), head_width)}
    return {}


def _share(turned: int, head_width: int) -> float:
    """Return a share of which the head_width-fold is not below a number of elements."""
    share = turned / head_width
    return share if int(head_width * share) >= turned else math.nextafter(share, 1.0)
