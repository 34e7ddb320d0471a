"""Models from files without model_type, recognised by their keys: Meta's, nanoGPT's and open_lm's.

Checked against the sources of meta-llama/llama (model.py), karpathy/llama2.c (model.py), karpathy/nanoGPT (model.py,
train.py) and mlfoundations/open_lm (model.py, params.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

from slimlm.interop.foreign_reader import ForeignReader, ReadConfig
from slimlm.interop.litgpt_import import is_litgpt, read_litgpt
from slimlm.utils.text import shown

_META = {
    "n_kv_heads": None,
    "multiple_of": 256,
    "ffn_dim_multiplier": None,
    "norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "max_seq_len": 2048,
    "dropout": 0.0,
    "hidden_dim": None,
    "head_dim": None,
    "sliding_window": None,
    "use_scaled_rope": False,
}
"""Defaults of ModelArgs; hidden_dim, head_dim and sliding_window are Mistral AI's."""

_META_NAMES = {
    "d_model": "dim",
    "n_layers": "n_layers",
    "n_heads": "n_heads",
    "n_kv_heads": "n_kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "max_seq_length": "max_seq_len",
    "layer_norm_eps": "norm_eps",
    "rope_theta": "rope_theta",
    "dropout": "dropout",
    "window": "sliding_window",
}


def read_foreign(given: Mapping[str, Any]) -> ReadConfig | None:
    """Return the model of a file of another program, recognised by its keys; None for a file of no known program.

    Raises ValueError, in one sentence, for values outside their limits and for structures that slimlm lacks.
    """
    for is_it, read in _PROGRAMS:
        if is_it(given):
            return read(given)
    return None


def _has(*keys: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda given: all(given.get(key) is not None for key in keys)


def _meta_width(reader: ForeignReader) -> int:
    """Return d_ff: two thirds of 4·dim, times the multiplier, up to a multiple (llama, model.py, FeedForward)."""
    given, multiplier = reader.whole("hidden_dim"), reader.real("ffn_dim_multiplier")
    if given is not None:
        return int(given)
    width, multiple = 2 * (4 * reader.whole("dim")) // 3, reader.whole("multiple_of")
    if multiplier is not None:
        width = int(multiplier * width)
    return int(max(1, -(-width // multiple)) * multiple)


def _meta_vocabulary(reader: ForeignReader) -> Any:
    vocabulary = reader.get("vocab_size")
    if vocabulary in (None, -1):
        found = "vocab_size is missing" if vocabulary is None else "vocab_size=-1 is not allowed"
        raise ValueError(
            f"{found}: Meta's files leave it to the tokenizer; vocab_size=32000, that of Llama 1 and 2, would work"
        )
    return vocabulary


def _read_meta(given: Mapping[str, Any]) -> ReadConfig:
    reader = ForeignReader(given, "Meta's params.json", _META)
    if given.get("moe"):
        raise ValueError(f"moe={shown(given['moe'])} is not supported: it means a mixture of experts in params.json")
    tied = "dropout" in given  # llama2.c, whose ModelArgs has it, ties the head
    architecture = reader.build(
        _META_NAMES,
        vocab_size=_meta_vocabulary(reader),
        d_model=reader.whole("dim"),
        d_ff=_meta_width(reader),
        n_layers=reader.whole("n_layers"),
        n_heads=reader.whole("n_heads"),
        n_kv_heads=reader.whole("n_kv_heads"),
        head_dim=reader.whole("head_dim"),
        max_seq_length=reader.whole("max_seq_len"),
        rope_theta=reader.real("rope_theta"),
        layer_norm_eps=reader.get("norm_eps"),
        dropout=reader.get("dropout"),
        attention_dropout=reader.get("dropout"),
        tied_lm_head=tied,
        norm="rmsnorm",
        positions="rope",
        window=reader.whole("sliding_window"),
        layer_pattern="w" if reader.whole("sliding_window") else "f",
    )
    program = "llama2.c, with a tied LM head" if tied else "Meta's params.json, with an LM head of its own"
    head = f"dim, n_layers and n_heads are keys of {program}: read as Llama"
    reader.passed_over("multiple_of ffn_dim_multiplier max_batch_size")
    unmodelled = ("rescaled rotary positions (use_scaled_rope=true)",) if reader.flag("use_scaled_rope") else ()
    sizes = "max_seq_len" if given.get("hidden_dim") else "multiple_of max_seq_len"
    return ReadConfig(architecture, (head, *reader.left_over(sizes)), unmodelled)


_NANO_GPT = {
    "vocab_size": 50304,
    "block_size": 1024,
    "n_layer": 12,
    "n_head": 12,
    "n_embd": 768,
    "dropout": 0.0,
    "bias": True,
}
_NANO_GPT_TRAINS = {"learning_rate", "max_iters", "dataset", "eval_interval", "gradient_accumulation_steps"}
_NANO_GPT_OTHERS = """
always_save_checkpoint backend batch_size beta1 beta2 compile dataset decay_lr device dtype eval_interval eval_iters
eval_only grad_clip gradient_accumulation_steps init_from learning_rate log_interval lr_decay_iters max_iters min_lr
out_dir wandb_log wandb_project wandb_run_name warmup_iters weight_decay
"""
"""Settings of nanoGPT's train.py that say nothing about the model."""


def _is_nano_gpt(given: Mapping[str, Any]) -> bool:
    return _has("n_layer", "n_head", "n_embd", "block_size")(given)


def _read_nano_gpt(given: Mapping[str, Any]) -> ReadConfig:
    trains = bool(_NANO_GPT_TRAINS & given.keys())
    reader = ForeignReader(given, "nanoGPT's train.py" if trains else "nanoGPT", _NANO_GPT | {"bias": not trains})
    bias = reader.flag("bias")
    width = reader.whole("n_embd")
    names = {"d_model": "n_embd", "n_layers": "n_layer", "n_heads": "n_head", "max_seq_length": "block_size"}
    architecture = reader.build(
        names,
        vocab_size=reader.whole("vocab_size"),
        d_model=width,
        d_ff=4 * width,
        n_layers=reader.whole("n_layer"),
        n_heads=reader.whole("n_head"),
        max_seq_length=reader.whole("block_size"),
        dropout=reader.get("dropout"),
        attention_dropout=reader.get("dropout"),
        layer_norm_eps=1e-5,
        norm="layernorm" if bias else "layernorm_no_bias",
        ffn="gelu",
        bias="all" if bias else "none",
    )
    reader.passed_over(_NANO_GPT_OTHERS)
    head = "n_embd, n_head and block_size are nanoGPT's keys: read as nanoGPT's GPT"
    return ReadConfig(architecture, (head, *reader.left_over("vocab_size bias")))


_OPEN_LM = {
    "vocab_size": 50432,
    "seq_len": 2048,
    "post_embed_norm": False,
    "weight_tying": False,
    "model_norm": "default_layer_norm",
    "norm_type": "default_layer_norm",
    "ffn_type": "swiglu",
    "qk_norm": False,
    "positional_embedding_type": "rotary",
    "moe_freq": 0,
}
_OPEN_LM_POSITIONS = {"rotary": "rope", "head_rotary": "rope", "llama_rotary": "rope", "none": "none"}
_OPEN_LM_NORMS = {
    "default_layer_norm": "layernorm",
    "gain_only_layer_norm": "layernorm_no_bias",
    "gain_only_lp_layer_norm": "layernorm_no_bias",
    "lp_layer_norm": "layernorm",
    "no_wb_layer_norm": "layernorm_no_params",
    "rms_norm": "rmsnorm",
    "lp_rms_norm": "rmsnorm",
}


def _read_open_lm(given: Mapping[str, Any]) -> ReadConfig:
    reader = ForeignReader(given, "open_lm", _OPEN_LM)
    reader.option("moe_freq", {0: ""})
    width = reader.whole("hidden_dim")
    ffn = reader.option(
        "ffn_type", {"swiglu": "swiglu", "swiglu_torch": "swiglu", "gelu": "gelu", "gemma_geglu": "geglu"}
    )
    norm_key = "model_norm" if given.get("norm_type") is None else "norm_type"
    names = {"d_model": "hidden_dim", "n_layers": "n_layers", "n_heads": "n_heads", "max_seq_length": "seq_len"}
    architecture = reader.build(
        names,
        vocab_size=reader.whole("vocab_size"),
        d_model=width,
        d_ff=4 * width if ffn == "gelu" else 256 * -(-(8 * width // 3) // 256),
        n_layers=reader.whole("n_layers"),
        n_heads=reader.whole("n_heads"),
        max_seq_length=reader.whole("seq_len"),
        dropout=0.0,
        attention_dropout=0.0,
        layer_norm_eps=1e-5,
        norm=reader.option(norm_key, _OPEN_LM_NORMS),
        embedding_norm=reader.flag("post_embed_norm"),
        tied_lm_head=reader.flag("weight_tying"),
        positions=reader.option("positional_embedding_type", _OPEN_LM_POSITIONS),
        qk_norm=reader.option("qk_norm", {False: "none", True: "full"}),
        ffn=ffn,
        bias="ffn" if ffn == "geglu" else "none",
    )
    reader.passed_over("norm_type model_norm")
    head = "hidden_dim, n_layers and n_heads are open_lm's keys: read as open_lm's model"
    return ReadConfig(architecture, (head, *reader.left_over(f"vocab_size seq_len {norm_key}")))


_PROGRAMS: tuple[tuple[Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], ReadConfig]], ...] = (
    (is_litgpt, read_litgpt),
    (_is_nano_gpt, _read_nano_gpt),
    (_has("dim", "n_layers", "n_heads"), _read_meta),
    (_has("hidden_dim", "n_layers", "n_heads"), _read_open_lm),
)
