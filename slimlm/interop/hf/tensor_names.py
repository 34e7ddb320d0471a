"""Names and layouts of the tensors of `LanguageModel` in the classes of Hugging Face transformers.

Checked against the modelling files of transformers 5.23 (src/transformers/models/*).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """Module names of a class, and the tensors that it stores in another layout."""

    outer: Mapping[str, str]
    """Module outside the blocks → its name."""
    layer: str
    """Name of a block; `*` stands for its number."""
    inner: Mapping[str, str]
    """Module of a block → its name in the block."""
    fused: str = ""
    """Name of the fused projection of q, k and v in a block: the rows of q, then k, then v."""
    fused_by_head: bool = False
    """Whether the fused projection groups the rows of q, k and v by head."""
    transposed: bool = False
    """Whether the matrices of a block are (inputs, outputs)."""
    expert: str = ""
    """Name of a matrix of an expert in a block; braces stand for the expert's number and the matrix."""
    expert_matrices: Mapping[str, str] = field(default_factory=dict)
    """Stacked matrix of the experts → its name within an expert."""
    choice_bias: str = ""
    """Name of a bias on the choice of experts, of which slimlm has none."""
    gate_and_up: str = ""
    """Name of the fused projection of gate and up in a block: the rows of gate, then up."""
    pairs: bool = False
    """Whether rotary positions turn neighbours, not elements half a head apart."""
    gemma_scales: bool = False
    """Whether norms multiply by 1 + weight, and token embeddings are multiplied by √d_model."""


def _outer(token_embedding: str, final_norm: str, lm_head: str = "lm_head", **more: str) -> dict[str, str]:
    return {"token_embedding": token_embedding, "final_norm": final_norm, "lm_head": lm_head, **more}


def _attention(output: str = "o_proj") -> dict[str, str]:
    projections = {f"attention.{name}_proj": f"self_attn.{name}_proj" for name in "qkv"}
    return projections | {"attention.o_proj": f"self_attn.{output}"}


def _plain(up: str, down: str) -> dict[str, str]:
    return {"ffn.up_proj": up, "ffn.down_proj": down}


_GATED = {f"ffn.{name}_proj": f"mlp.{name}_proj" for name in ("gate", "up", "down")}
_QK_NORMS = {f"attention.{name}_norm": f"self_attn.{name}_norm" for name in "qk"}
_INPUT_NORMS = {
    "attention_norm": "input_layernorm",
    "shared_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_OUTPUT_NORMS = {
    "attention_output_norm": "post_attention_layernorm",
    "ffn_output_norm": "post_feedforward_layernorm",
}

_OUTER = _outer("model.embed_tokens", "model.norm")
_LLAMA = Tensors(outer=_OUTER, layer="model.layers.*", inner=_INPUT_NORMS | _attention() | _QK_NORMS | _GATED)

_GEMMA = Tensors(
    outer=_OUTER,
    layer="model.layers.*",
    inner={"attention_norm": "input_layernorm", "ffn_norm": "pre_feedforward_layernorm"}
    | _OUTPUT_NORMS
    | _attention()
    | _QK_NORMS
    | _GATED,
    gemma_scales=True,
)

_QWEN_EXPERTS = {f"{name}_proj": f"{name}_proj" for name in ("gate", "up", "down")}
_ROUTED = {"ffn.router": "mlp.gate"}
_LATENTS = {
    "attention.q_proj": "self_attn.q_proj",
    "attention.q_a_proj": "self_attn.q_a_proj",
    "attention.q_a_norm": "self_attn.q_a_layernorm",
    "attention.q_b_proj": "self_attn.q_b_proj",
    "attention.kv_a_proj": "self_attn.kv_a_proj_with_mqa",
    "attention.kv_a_norm": "self_attn.kv_a_layernorm",
    "attention.kv_b_proj": "self_attn.kv_b_proj",
    "attention.o_proj": "self_attn.o_proj",
}


def _shared(name: str) -> dict[str, str]:
    return {f"ffn.shared_experts.{matrix}_proj": f"mlp.{name}.{matrix}_proj" for matrix in ("gate", "up", "down")}


_QWEN_MOE = Tensors(
    outer=_OUTER,
    layer="model.layers.*",
    inner=dict(_LLAMA.inner)
    | _ROUTED
    | _shared("shared_expert")
    | {"ffn.shared_expert_gate": "mlp.shared_expert_gate"},
    expert="mlp.experts.{}.{}.weight",
    expert_matrices=_QWEN_EXPERTS,
)

TENSORS = {
    **dict.fromkeys(("qwen2_moe", "qwen3_moe", "olmoe"), _QWEN_MOE),
    "mixtral": Tensors(
        outer=_OUTER,
        layer="model.layers.*",
        inner=_INPUT_NORMS | _attention() | {"ffn.router": "block_sparse_moe.gate"},
        expert="block_sparse_moe.experts.{}.{}.weight",
        expert_matrices={"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"},
    ),
    "deepseek_v3": Tensors(
        outer=_OUTER,
        layer="model.layers.*",
        inner=_INPUT_NORMS | _LATENTS | _GATED | _ROUTED | _shared("shared_experts"),
        expert="mlp.experts.{}.{}.weight",
        expert_matrices=_QWEN_EXPERTS,
        choice_bias="mlp.gate.e_score_correction_bias",
    ),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "olmo", "smollm3", "stablelm", "granite"), _LLAMA),
    **dict.fromkeys(("cohere", "cohere2"), replace(_LLAMA, pairs=True)),
    **dict.fromkeys(("gemma2", "gemma3_text"), _GEMMA),
    "phi3": Tensors(
        outer=_OUTER,
        layer="model.layers.*",
        inner=_INPUT_NORMS | {"attention.o_proj": "self_attn.o_proj", "ffn.down_proj": "mlp.down_proj"},
        fused="self_attn.qkv_proj",
        gate_and_up="mlp.gate_up_proj",
    ),
    "gpt_neo": Tensors(
        outer=_outer("transformer.wte", "transformer.ln_f", position_embedding="transformer.wpe"),
        layer="transformer.h.*",
        inner={"attention_norm": "ln_1", "ffn_norm": "ln_2", "attention.o_proj": "attn.attention.out_proj"}
        | {f"attention.{name}_proj": f"attn.attention.{name}_proj" for name in "qkv"}
        | _plain("mlp.c_fc", "mlp.c_proj"),
    ),
    "olmo2": Tensors(outer=_OUTER, layer="model.layers.*", inner=_OUTPUT_NORMS | _attention() | _QK_NORMS | _GATED),
    "starcoder2": Tensors(
        outer=_OUTER, layer="model.layers.*", inner=_INPUT_NORMS | _attention() | _plain("mlp.c_fc", "mlp.c_proj")
    ),
    "phi": Tensors(
        outer=_outer("model.embed_tokens", "model.final_layernorm"),
        layer="model.layers.*",
        inner=_INPUT_NORMS | _attention("dense") | _plain("mlp.fc1", "mlp.fc2"),
    ),
    "opt": Tensors(
        outer=_outer(
            "model.decoder.embed_tokens",
            "model.decoder.final_layer_norm",
            position_embedding="model.decoder.embed_positions",
        ),
        layer="model.decoder.layers.*",
        inner={"attention_norm": "self_attn_layer_norm", "ffn_norm": "final_layer_norm"}
        | _attention("out_proj")
        | _plain("fc1", "fc2"),
    ),
    "gpt_neox": Tensors(
        outer=_outer("gpt_neox.embed_in", "gpt_neox.final_layer_norm", "embed_out"),
        layer="gpt_neox.layers.*",
        inner=_INPUT_NORMS | {"attention.o_proj": "attention.dense"} | _plain("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        fused="attention.query_key_value",
        fused_by_head=True,
    ),
    "gpt2": Tensors(
        outer=_outer("transformer.wte", "transformer.ln_f", position_embedding="transformer.wpe"),
        layer="transformer.h.*",
        inner={"attention_norm": "ln_1", "ffn_norm": "ln_2", "attention.o_proj": "attn.c_proj"}
        | _plain("mlp.c_fc", "mlp.c_proj"),
        fused="attn.c_attn",
        transposed=True,
    ),
    "mpt": Tensors(
        outer=_outer("transformer.wte", "transformer.norm_f"),
        layer="transformer.blocks.*",
        inner={"attention_norm": "norm_1", "ffn_norm": "norm_2", "attention.o_proj": "attn.out_proj"}
        | _plain("ffn.up_proj", "ffn.down_proj"),
        fused="attn.Wqkv",
    ),
}
"""Tensor layout of each class of `slimlm.interop.hf.export_classes`, by model_type."""
