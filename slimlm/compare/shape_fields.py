"""Fields of an architecture in a comparison: their order, and their values as quantities."""

from collections.abc import Mapping
from typing import Any

from slimlm.costs.quantity import Quantity, Workload
from slimlm.serialization.fields import KNOBS
from slimlm.utils.formatting import Unit

DIMENSIONS = ("n_layers", "d_model", "d_ff", "glu_expansion", "aspect_ratio")
NUMBERS = ("n_heads", "n_kv_heads", "head_dim", "vocab_size", "max_seq_length")
CHOICES = ("tied_lm_head", "norm", "positions", "ffn", "bias", "qk_norm", "block", "lm_head_bias", "embedding_norm")
DETAILS = ("rope_theta", "position_offset", "dropout", "attention_dropout", "layer_norm_eps")
"""Numbers whose ratio says nothing about their effect."""
NEWEST_NUMBERS = (
    "window",
    *("n_experts", "experts_per_token", "n_shared_experts", "d_shared", "n_dense_layers", "d_dense"),
    *("n_expert_groups", "groups_per_token", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "v_head_dim"),
)
NEWEST_CHOICES = ("layer_pattern", "router", "normalise_router", "shared_expert_gate")
NEWEST_DETAILS = (
    *("routed_scale", "window_rope_theta", "rotary_share", "attention_scale", "attention_softcap"),
    *("logit_softcap", "embedding_scale", "residual_scale", "logit_scale"),
)
"""Fields that a comparison shows only where a model has them, with those above."""


def labels_of(name: str) -> Mapping[str | bool, str]:
    """Return the display names of the options of a field."""
    labels: dict[str | bool, str] = {True: "Yes", False: "No"}
    labels.update(KNOBS[name].words)
    return labels


def field_quantity(name: str, unit: Unit) -> Quantity:
    """Return a field of the architecture as a quantity, with choices as they are."""

    def value(work: Workload) -> Any:
        arch = work.account.architecture
        return None if name == "rope_theta" and arch.positions != "rope" else arch.concrete()[name]

    return Quantity(key=name, name=KNOBS[name].label, unit=unit, of=value)
