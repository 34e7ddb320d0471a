"""Model families as one choice: the structure of a published model for any size and vocabulary."""

from dataclasses import dataclass, replace
from typing import Any

from slimlm.core.architecture import Choices
from slimlm.core.config import ModelConfig
from slimlm.core.published import published_model
from slimlm.utils.validation import FieldError


@dataclass(frozen=True)
class ModelFamily:
    """A family, with a published model that has its structure."""

    label: str
    """Display name."""
    example: str
    """Name of the published model."""


MODEL_FAMILIES = {
    "llama": ModelFamily("Llama", "Llama-3.2-1B"),
    "qwen3": ModelFamily("Qwen3", "Qwen3-0.6B"),
    "gemma": ModelFamily("Gemma 3", "gemma-3-270m"),
    "gpt2": ModelFamily("GPT-2", "gpt2"),
}
"""Family → its name and example."""

_STRUCTURE = (
    "norm",
    "positions",
    "ffn",
    "bias",
    "qk_norm",
    "block",
    "lm_head_bias",
    "embedding_norm",
    "position_offset",
)
"""Fields that tell families apart."""

_ACCOMPANYING = ("tied_lm_head", "rope_theta", "dropout", "attention_dropout", "layer_norm_eps")
"""Fields that a family sets, and that differ between the models of one family."""

_LAYERS = ("window", "layer_pattern", "window_rope_theta", "rotary_share")
"""Fields that a family sets. They are not compared, so that designs made before they existed keep their family.

Factors and caps are left as they are: Gemma's factor of embeddings depends on the width.
"""


def family(name: str, total_params: int = 10_000_000, **fields: Any) -> ModelConfig:
    """Return a request with the structure of a family; `fields` are those of `ModelConfig`, and override it.

    >>> family("llama", 30_000_000, vocab_size=8192, tied_lm_head=False).norm
    'rmsnorm'

    Raises FieldError for a family that is not in `MODEL_FAMILIES`, and for a field outside its limits.
    """
    return replace(in_family(ModelConfig(), name), total_params=total_params, **fields)


def in_family(config: ModelConfig, name: str) -> ModelConfig:
    """Return a request with the structure of a family; sizes, ratios and sequence length stay.

    Heads stay too where the family allows them: GPT-2 shares no keys and values and has head_dim = d_model / n_heads,
    and rotary positions need an even head_dim.

    Raises FieldError for a family that is not in `MODEL_FAMILIES`.
    """
    return replace(config, **family_changes(name, config.head_dim))


def family_changes(name: str, head_dim: int | None = None) -> dict[str, Any]:
    """Return the fields that a family sets in a request with a head_dim, with their values.

    Raises FieldError for a family that is not in `MODEL_FAMILIES`.
    """
    if name not in MODEL_FAMILIES:
        working = tuple(("family", known) for known in MODEL_FAMILIES)
        raise FieldError("family", name, "it must be a family known here", working)
    example = published_model(MODEL_FAMILIES[name].example).architecture
    found = {field: getattr(example, field) for field in (*_STRUCTURE, *_ACCOMPANYING, *_LAYERS)}
    if example.norm == "layernorm":
        found |= {"n_kv_heads": None, "head_dim": None}
    elif head_dim is not None and head_dim % 2:
        found["head_dim"] = None
    return found


def family_of(choices: Choices) -> str | None:
    """Return the family whose structure the choices have; None when there is none.

    Tying, RoPE base, dropout and epsilon differ within families and are not compared, nor are attention windows; GELU
    may be exact or by tanh.

    >>> family_of(ModelConfig()), family_of(family("gpt2"))
    (None, 'gpt2')
    """
    return next((name for name in MODEL_FAMILIES if _has_structure(choices, name)), None)


def _has_structure(choices: Choices, name: str) -> bool:
    example = published_model(MODEL_FAMILIES[name].example).architecture
    shares = choices.n_kv_heads not in (None, choices.n_heads) or choices.head_dim is not None
    if example.norm == "layernorm" and shares:
        return False
    return all(_alike(getattr(choices, field), getattr(example, field)) for field in _STRUCTURE)


def _alike(one: object, other: object) -> bool:
    """Whether two options are equal but for the kind of GELU, which families had exact before they had it by tanh."""
    kinds = {"gelu_tanh": "gelu", "geglu_tanh": "geglu"}
    return kinds.get(str(one), one) == kinds.get(str(other), other)
