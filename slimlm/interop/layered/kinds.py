"""The model types whose layers are counted one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slimlm.core.layered import Layer, Tensors
from slimlm.interop.layered import (
    delta_types,
    expert_defaults,
    expert_types,
    gemma_types,
    linear_types,
    mamba_types,
    scaled_types,
    state_defaults,
    state_types,
)
from slimlm.interop.layered.keys import Keys


@dataclass(frozen=True)
class LayeredType:
    """One model type: the defaults of its keys, and its layers."""

    defaults: Mapping[str, Any]
    layers: Callable[[Keys], tuple[Layer, ...]]
    recurrence: str = ""
    """Display name of what stands in place of attention, or beside it."""
    attention: str = "Attention"
    ffn: str = "SwiGLU"
    d_model: str = "hidden_size"
    length: str = "max_position_embeddings"
    """Keys of the longest sequence, separated by spaces; none: a model takes sequences of any length."""
    tied: tuple[str, ...] = ("tie_word_embeddings",)
    """Keys that say whether the LM head is the table of tokens; none: it is not, as the class never ties them."""
    outside: Callable[[Keys], Tensors] = lambda _: {}
    """Tensors outside the layers beside the usual ones."""
    tables: Callable[[Keys], Tensors] = lambda _: {}
    """Vocabulary-sized matrices beside the usual ones."""
    norm: str = "RMSNorm"
    judged: bool = True
    """Whether transformers has the type, so that tests compare the count with it."""


_EXPERTS, _SOME = "Experts and router", "Feed-forward, experts and router"

LAYERED = {
    "qwen3_5_text": LayeredType(delta_types.QWEN3_5, delta_types.qwen3_5, "Gated DeltaNet"),
    "qwen3_5_moe_text": LayeredType(delta_types.QWEN3_5_MOE, delta_types.qwen3_5_moe, "Gated DeltaNet", ffn=_EXPERTS),
    "qwen3_next": LayeredType(delta_types.QWEN3_NEXT, delta_types.qwen3_next, "Gated DeltaNet", ffn=_SOME),
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
    "gpt_oss": LayeredType(expert_defaults.GPT_OSS, expert_types.gpt_oss, ffn=_EXPERTS),
    "glm4_moe": LayeredType(expert_defaults.GLM4_MOE, expert_types.glm4_moe, ffn=_SOME),
    "dots1": LayeredType(expert_defaults.DOTS1, expert_types.dots1, ffn=_SOME),
    "ernie4_5_moe": LayeredType(
        expert_defaults.ERNIE4_5_MOE, expert_types.ernie4_5_moe, ffn=_SOME, outside=expert_types.ernie4_5_moe_outside
    ),
    "hunyuan_v1_moe": LayeredType(expert_defaults.HUNYUAN_V1_MOE, expert_types.hunyuan_v1_moe, ffn=_EXPERTS),
    "qwen3_vl_moe_text": LayeredType(expert_defaults.QWEN3_VL_MOE, expert_types.qwen3_vl_moe, ffn=_SOME),
    "phimoe": LayeredType(
        expert_defaults.PHIMOE, expert_types.phimoe, ffn=_EXPERTS, outside=expert_types.phimoe_outside, norm="LayerNorm"
    ),
    "llama4_text": LayeredType(expert_defaults.LLAMA4, expert_types.llama4, ffn=_SOME),
    "gemma4_text": LayeredType(
        gemma_types.GEMMA4,
        gemma_types.gemma4,
        ffn="Feed-forward",
        outside=gemma_types.outside,
        tables=gemma_types.tables,
    ),
    "gemma3n_text": LayeredType(
        gemma_types.GEMMA3N,
        gemma_types.gemma3n,
        ffn="Feed-forward and streams",
        outside=gemma_types.gemma3n_outside,
        tables=gemma_types.tables,
    ),
    "lfm2_moe": LayeredType(
        state_defaults.LFM2_MOE,
        mamba_types.lfm2_moe,
        "Short convolution",
        ffn=_SOME,
        tied=("tie_embedding", "tie_word_embeddings"),
    ),
    "bamba": LayeredType(state_defaults.BAMBA, state_types.bamba, "Mamba-2"),
    "granitemoehybrid": LayeredType(state_defaults.GRANITE, state_types.granite, "Mamba-2", ffn=_SOME),
    "jamba": LayeredType(state_defaults.JAMBA, state_types.jamba, "Mamba", ffn=_SOME),
    "mamba": LayeredType(state_defaults.MAMBA, state_types.mamba, "Mamba", attention="", ffn="", length=""),
    "falcon_mamba": LayeredType(state_defaults.MAMBA, state_types.mamba, "Mamba", attention="", ffn="", length=""),
    "mamba2": LayeredType(state_defaults.MAMBA2, state_types.mamba_2, "Mamba-2", attention="", ffn="", length=""),
    "recurrent_gemma": LayeredType(
        state_defaults.RECURRENT_GEMMA, state_types.recurrent_gemma, "Gated LRU", ffn="GeGLU", length=""
    ),
    "olmo_hybrid": LayeredType(state_defaults.OLMO_HYBRID, linear_types.olmo_hybrid, "Gated DeltaNet"),
    "kimi_linear": LayeredType(
        state_defaults.KIMI_LINEAR,
        linear_types.kimi_linear,
        "Kimi delta attention",
        ffn=_SOME,
        length="max_position_embeddings model_max_length",
        tied=(),
    ),
}
"""Model types that no Architecture describes."""
