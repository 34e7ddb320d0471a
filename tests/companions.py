"""Values of fields that other fields need beside them."""

from typing import Any


def with_companions(name: str, value: Any) -> dict[str, Any]:
    """Return a value with values of other fields without which it is refused for another reason."""
    windowed, rope = {"window": 8, "layer_pattern": "wf"}, {"positions": "rope", "head_dim": 2}
    others: dict[str, Any] = {
        "window": windowed if value is not None else {},
        "layer_pattern": rope | {"window": 8 if "w" in str(value) else None},
        "window_rope_theta": windowed | rope,
        "rotary_share": rope,
    }
    companions: dict[str, Any] = others.get(name, {})
    return companions | {name: value}
