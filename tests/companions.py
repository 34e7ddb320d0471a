"""Values of fields that other fields need beside them."""

from typing import Any


def with_companions(name: str, value: Any) -> dict[str, Any]:
    """Return a value with values of other fields without which it is refused for another reason."""
    windowed, rope = {"window": 8, "layer_pattern": "wf"}, {"positions": "rope", "head_dim": 2}
    latents: dict[str, Any] = rope | {"n_heads": 8, "kv_lora_rank": 8}
    others: dict[str, Any] = {
        "window": windowed if value is not None else {},
        "layer_pattern": rope | {"window": 8 if "w" in str(value) else None},
        "window_rope_theta": windowed | rope,
        "rotary_share": rope,
        "kv_lora_rank": latents if value is not None else {},
        "q_lora_rank": latents,
        "qk_rope_head_dim": latents,
        "v_head_dim": latents,
    }
    of_experts: dict[str, Any] = {
        "n_experts": {"experts_per_token": 1} if value else {},
        "experts_per_token": {},
        "n_shared_experts": {},
        "d_shared": {"n_shared_experts": 1},
        "shared_expert_gate": {"n_shared_experts": 1},
        "n_dense_layers": {"n_layers": 10**12},
        "d_dense": {"n_dense_layers": 1, "n_layers": 2},
        "router": {},
        "normalise_router": {},
        "routed_scale": {},
        "n_expert_groups": {"n_experts": value, "experts_per_token": 1},
        "groups_per_token": {"n_expert_groups": 65_536, "experts_per_token": 1},
    }
    if name in of_experts:
        others[name] = {"n_experts": 65_536} | of_experts[name]
    companions: dict[str, Any] = others.get(name, {})
    return companions | {name: value}
