"""The model of a config.json whose layers differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slimlm.core.layered import Layer, LayeredModel
from slimlm.core.named_model import FROM_CONFIG, tidy_name
from slimlm.interop.layered import delta_types, mamba_types, scaled_types
from slimlm.interop.layered.keys import Keys
from slimlm.utils.text import shown


@dataclass(frozen=True)
class LayeredType:
    """One model type: the defaults of its keys, and its layers."""

    defaults: Mapping[str, Any]
    layers: Callable[[Keys], tuple[Layer, ...]]
    recurrence: str = ""
    """Display name of what stands in place of attention, or beside it."""
    ffn: str = "SwiGLU"
    d_model: str = "hidden_size"
    length: str = "max_position_embeddings"
    tied: tuple[str, ...] = ("tie_word_embeddings",)
    judged: bool = True
    """Whether transformers has the type, so that tests compare the count with it."""


LAYERED = {
    "qwen3_5_text": LayeredType(delta_types.QWEN3_5, delta_types.qwen3_5, "Gated DeltaNet"),
    "qwen3_5_moe_text": LayeredType(
        delta_types.QWEN3_5_MOE, delta_types.qwen3_5_moe, "Gated DeltaNet", ffn="Experts and router"
    ),
    "qwen3_next": LayeredType(
        delta_types.QWEN3_NEXT, delta_types.qwen3_next, "Gated DeltaNet", ffn="Feed-forward, experts and router"
    ),
    "lfm2": LayeredType(
        mamba_types.LFM2, mamba_types.lfm2, "Short convolution", tied=("tie_embedding", "tie_word_embeddings")
    ),
    "falcon_h1": LayeredType(mamba_types.FALCON_H1, mamba_types.falcon_h1, "Mamba-2"),
    "nemotron_h": LayeredType(mamba_types.NEMOTRON_H, mamba_types.nemotron_h, "Mamba-2", ffn="Feed-forward", tied=()),
    "openelm": LayeredType(
        scaled_types.OPENELM,
        scaled_types.openelm,
        d_model="model_dim",
        length="max_context_length",
        tied=("share_input_output_layers",),
        judged=False,
    ),
    "nemotron-nas": LayeredType(scaled_types.NEMOTRON_NAS, scaled_types.nemotron_nas, judged=False),
}
"""Model types whose layers differ."""

NOT_BUILT = "slimlm counts this model and does not build it: its layers differ"
"""Why there is no PyTorch check."""


def layered_model(config: Mapping[str, Any], name: str = "", origin: str = FROM_CONFIG) -> LayeredModel:
    """Return the model of a config with a model type in `LAYERED`.

    >>> config = {"model_type": "lfm2", "num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]}
    >>> layered_model(config, "small").order
    'short convolution, attention'

    Raises KeyError for another model type, and ValueError, in one sentence with key and value, for values outside
    their limits.
    """
    model_type = str(config["model_type"])
    kind = LAYERED[model_type]
    keys = Keys(config, kind.defaults)
    names = {"attention": "Attention", "recurrence": kind.recurrence, "ffn": kind.ffn, "norms": "RMSNorms"}
    tied = next((keys.switch(key) for key in kind.tied if keys.get(key) is not None), False)
    return LayeredModel(
        name=tidy_name(name or model_type),
        origin=origin,
        vocab_size=keys.whole("vocab_size"),
        d_model=keys.whole(kind.d_model),
        max_seq_length=keys.whole(kind.length),
        tied_lm_head=tied,
        layers=kind.layers(keys),
        names={key: text for key, text in names.items() if text},
        remarks=_remarks(config),
        config={"model_type": model_type} | keys.used,
    )


def _remarks(config: Mapping[str, Any]) -> tuple[str, ...]:
    more = [key for key in ("num_nextn_predict_layers", "mtp_num_hidden_layers") if config.get(key)]
    found = [f"layers that predict further tokens are not counted ({key}={shown(config[key])})" for key in more]
    if config["model_type"] == "nemotron_h" and config.get("tie_word_embeddings"):
        found.append("two tables are counted, because the class does not tie them (tie_word_embeddings=true)")
    return tuple(found)
