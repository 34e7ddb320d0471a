"""Files of other programs, recognised by their keys: Meta's, llama2.c's, nanoGPT's, open_lm's and litgpt's."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_models
from slimlm.interop.config_text import read_config_text
from slimlm.interop.foreign import read_foreign
from slimlm.interop.foreign_reader import ReadConfig
from slimlm.interop.framework_choices import padded
from slimlm.interop.hf import from_hf_config, unmodelled, unread
from slimlm.interop.litgpt import litgpt_config
from slimlm.utils.validation import FieldError
from tests.hf_judge import count
from tests.strategies import architectures

META: dict[str, Any] = {
    "dim": 256,
    "n_layers": 8,
    "n_heads": 16,
    "vocab_size": 50000,
    "norm_eps": 1e-5,
    "multiple_of": 128,
}
LLAMA_3_8B: dict[str, Any] = {
    "dim": 4096,
    "ffn_dim_multiplier": 1.3,
    "multiple_of": 1024,
    "n_heads": 32,
    "n_kv_heads": 8,
}
LLAMA_3_8B |= {"n_layers": 32, "norm_eps": 1e-05, "rope_theta": 500000.0, "vocab_size": 128256}
MISTRAL: dict[str, Any] = {
    "dim": 4096,
    "n_layers": 32,
    "head_dim": 128,
    "hidden_dim": 14336,
    "n_heads": 32,
    "n_kv_heads": 8,
}
MISTRAL |= {"norm_eps": 1e-05, "vocab_size": 32000, "sliding_window": 4096}
STORIES: dict[str, Any] = {
    "dim": 288,
    "n_layers": 6,
    "n_heads": 6,
    "n_kv_heads": 6,
    "vocab_size": 32000,
    "multiple_of": 32,
}
STORIES |= {"max_seq_len": 256, "dropout": 0.0}
OPEN_LM: dict[str, Any] = {"hidden_dim": 2048, "n_layers": 24, "n_heads": 16, "seq_len": 2048, "vocab_size": 50432}
OPEN_LM |= {"post_embed_norm": False, "weight_tying": False}
DCLM: dict[str, Any] = {
    "hidden_dim": 4096,
    "n_layers": 32,
    "n_heads": 32,
    "seq_len": 2048,
    "vocab_size": 50432,
    "qk_norm": True,
}
DCLM |= {"model_norm": "gain_only_lp_layer_norm", "norm_type": "gain_only_lp_layer_norm", "ffn_type": "swiglu_torch"}


def foreign(given: dict[str, Any]) -> ReadConfig:
    found = read_foreign(given)
    assert found
    assert from_hf_config(given) == found.architecture
    assert (unread(given), unmodelled(given)) == (found.unread, found.unmodelled)
    return found


@pytest.mark.parametrize(
    ("given", "total"),
    [
        (META, 32_420_096),
        (META | {"vocab_size": 32000, "dim": 4096, "n_layers": 32, "n_heads": 32, "multiple_of": 256}, 6_738_415_616),
        (LLAMA_3_8B, 8_030_261_248),
        (MISTRAL, 7_241_732_096),
        (STORIES, 15_191_712),  # stories15M
        (OPEN_LM, 2 * 50432 * 2048 + 24 * (4 * 2048**2 + 3 * 2048 * 5632 + 4 * 2048) + 2 * 2048),
        (DCLM, 2 * 50432 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 4 * 4096) + 4096),
        ({"block_size": 1024, "n_layer": 12, "n_head": 12, "n_embd": 768, "vocab_size": 50257}, 124_439_808),
    ],
)
def test_a_file_has_the_parameters_that_are_known_of_its_model(given: dict[str, Any], total: int) -> None:
    assert count_total(foreign(given).architecture) == total


def test_a_file_reads_as_the_config_that_transformers_has_of_the_same_model() -> None:
    llama: dict[str, Any] = {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
    }
    llama |= {"vocab_size": 128256, "rope_theta": 500000.0, "rms_norm_eps": 1e-5}
    assert foreign(LLAMA_3_8B).architecture == from_hf_config(llama)
    assert sum(count(AutoConfig.for_model(**llama)).values()) == count_total(foreign(LLAMA_3_8B).architecture)
    mistral: dict[str, Any] = {"model_type": "mistral", "max_position_embeddings": 2048, "rms_norm_eps": 1e-5}
    assert count_total(foreign(MISTRAL).architecture) == count_total(from_hf_config(mistral))
    assert (foreign(MISTRAL).architecture.window, foreign(MISTRAL).architecture.layer_pattern) == (4096, "w")
    assert foreign(META | {"use_scaled_rope": True}).unmodelled == ("rescaled rotary positions (use_scaled_rope=true)",)


def test_nano_gpt_is_gpt_2_with_the_exact_gelu_and_may_have_no_biases() -> None:
    sizes: dict[str, Any] = {"n_layer": 6, "n_head": 6, "n_embd": 384, "vocab_size": 65}
    found = foreign({**sizes, "block_size": 256, "dropout": 0.2}).architecture
    gpt2 = from_hf_config({"model_type": "gpt2", **sizes, "n_positions": 256, "activation_function": "gelu"})
    assert count_total(found) == sum(count(AutoConfig.for_model("gpt2", **sizes, n_positions=256)).values())
    assert (found.ffn, found.bias, found.norm) == (gpt2.ffn, gpt2.bias, gpt2.norm)
    assert (found.dropout, found.attention_dropout) == (0.2, 0.2)
    bare = foreign({**sizes, "block_size": 256, "bias": False}).architecture
    # no bias in any of four products and two norms of a layer, nor in the last norm
    assert count_total(found) - count_total(bare) == 6 * (3 + 1 + 4 + 1 + 2) * 384 + 384


SHAKESPEARE = """# train a miniature character-level shakespeare model
out_dir = 'out-shakespeare-char'
eval_interval = 250 # keep frequent because we'll overfit
wandb_log = False # override via command line if you like
dataset = 'shakespeare_char'
gradient_accumulation_steps = 5 * 8
block_size = 256
n_layer = 6
n_head = 6
n_embd = 384
dropout = 0.2
learning_rate = 1e-3
"""


def test_a_training_file_of_nano_gpt_is_read_with_its_defaults() -> None:
    found = foreign(read_config_text(SHAKESPEARE))
    assert (found.architecture.bias, found.architecture.vocab_size) == ("none", 50304)
    assert found.unread == (
        "n_embd, n_head and block_size are nanoGPT's keys: read as nanoGPT's GPT",
        "vocab_size 50,304 and bias false are defaults of nanoGPT's train.py, not in the config",
    )


def test_llama2_c_is_known_by_its_dropout_and_ties_its_head() -> None:
    found = foreign(STORIES)
    assert found.architecture.tied_lm_head
    assert found.unread == ("dim, n_layers and n_heads are keys of llama2.c, with a tied LM head: read as Llama",)
    assert foreign(META).unread == (
        "dim, n_layers and n_heads are keys of Meta's params.json, with an LM head of its own: read as Llama",
        "max_seq_len 2,048 is a default of Meta's params.json, not in the config",
    )
    assert foreign(META | {"layers": 3}).unread[1] == "layers is no key of Meta's params.json, and is not read"


def test_the_choices_of_open_lm_are_read() -> None:
    arch = foreign(DCLM).architecture
    assert (arch.norm, arch.qk_norm, arch.ffn, arch.tied_lm_head) == ("layernorm_no_bias", "full", "swiglu", False)
    plain = foreign(OPEN_LM | {"ffn_type": "gelu", "model_norm": "rms_norm", "weight_tying": True}).architecture
    assert (plain.ffn, plain.d_ff, plain.norm, plain.tied_lm_head) == ("gelu", 8192, "rmsnorm", True)
    geglu = foreign(OPEN_LM | {"ffn_type": "gemma_geglu", "post_embed_norm": True}).architecture
    assert (geglu.ffn, geglu.bias, geglu.embedding_norm) == ("geglu", "ffn", True)
    assert foreign(OPEN_LM).unread[1:] == (
        'model_norm "default_layer_norm" is a default of open_lm, not in the config',
    )


LITGPT: dict[str, Any] = {
    "n_embd": 768,
    "n_layer": 16,
    "n_head": 16,
    "n_query_groups": 8,
    "head_size": 48,
    "block_size": 512,
}
LITGPT |= {"vocab_size": 6400, "padded_vocab_size": 6400, "rotary_percentage": 1.0, "parallel_residual": False}
LITGPT |= {"bias": False, "norm_class_name": "RMSNorm", "mlp_class_name": "LLaMAMLP", "intermediate_size": 2048}


@settings(max_examples=200, deadline=None)
@given(arch=architectures(), multiple=st.sampled_from([1, 64, 512]))
def test_what_slimlm_writes_for_litgpt_is_read_back(arch: Architecture, multiple: int) -> None:
    try:
        text = litgpt_config(arch, padding_multiple=multiple)
    except ValueError:  # litgpt cannot express it
        return
    found = foreign(read_config_text(text))
    rows = padded(arch.vocab_size, multiple)
    same: dict[str, Any] = {
        name: value for name, value in arch.concrete().items() if name not in ("dropout", "attention_dropout")
    }
    same |= {"vocab_size": rows, "tied_lm_head": False}
    if arch.positions != "rope":
        same["rope_theta"] = 10_000.0
    assert {name: value for name, value in found.architecture.concrete().items() if name in same} == same
    assert any("padded" in phrase for phrase in found.unread) == (rows != arch.vocab_size)
    assert not found.unmodelled


def test_published_models_go_to_litgpt_and_back() -> None:
    read = 0
    for model in published_models():
        try:
            text = litgpt_config(model.architecture, padding_multiple=1)
        except ValueError:
            continue
        found = foreign(read_config_text(text)).architecture
        tables = 0 if not model.architecture.tied_lm_head else model.architecture.vocab_size * found.d_model
        assert count_total(found) == model.total_params + tables
        read += 1
    assert read > 20


def test_what_litgpt_has_besides_is_told() -> None:
    found = foreign(LITGPT | {"scale_embeddings": True, "gelu_approximate": "tanh", "name": "Gemma-2b", "p_mem": 0.1}
                    | {"mlp_class_name": "GemmaMLP", "rotary_percentage": 0.25, "hf_config": {"org": "a"}})  # fmt: skip
    assert found.unmodelled == ("RMSNorm that multiplies by 1 + its weight",)
    arch = found.architecture
    assert (arch.ffn, arch.rotary_share, arch.embedding_scale) == ("geglu_tanh", 0.25, 768**0.5)
    assert found.unread[1:] == ("p_mem is no key of litgpt, and is not read",)
    assert foreign(LITGPT | {"name": "OLMo-1B", "norm_class_name": "LayerNorm"}).architecture.norm == (
        "layernorm_no_params"
    )
    rescaled = foreign(LITGPT | {"rope_condense_ratio": 4, "rope_adjustments": {"factor": 8.0}})
    assert rescaled.unmodelled == (
        "rescaled rotary positions (rope_condense_ratio=4)",
        'rescaled rotary positions (rope_adjustments={"factor": 8.0})',
    )
    inner = {"model_name": "mini", "model_config": LITGPT, "precision": "bf16-mixed"}
    assert from_hf_config(inner) == foreign(LITGPT).architecture
    assert unread(inner)[0] == "model_config is read by itself: the rest of the file left out"


@pytest.mark.parametrize(
    ("windows", "pattern"),
    [
        ({}, "w"),
        ({"sliding_window_layer_placing": "all"}, "w"),
        ({"sliding_window_layer_placing": "interleaved"}, "wf"),
        ({"sliding_window_indices": [1, 1, 1, 0] * 4}, "wwwf" * 4),
    ],
)
def test_the_windows_and_limits_of_litgpt_are_read(windows: dict[str, Any], pattern: str) -> None:
    limits: dict[str, Any] = {
        "attention_scores_scalar": 256,
        "attention_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
    }
    arch = foreign(LITGPT | limits | {"sliding_window_size": 64} | windows).architecture
    assert (arch.window, arch.layer_pattern) == (64, pattern)
    assert (arch.attention_scale, arch.attention_softcap, arch.logit_softcap) == (1 / 16, 50.0, 30.0)
    none = foreign(LITGPT | {"sliding_window_size": 64, "sliding_window_indices": [0] * 16}).architecture
    assert none == foreign(LITGPT).architecture


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (META | {"vocab_size": -1}, "vocab_size=-1 is not allowed: Meta's files leave it to the tokenizer; vocab_siz"),
        ({**META, "vocab_size": None}, "vocab_size is missing: Meta's files leave it to the tokenizer; vocab_size=32"),
        (META | {"dim": "256"}, 'dim="256" is not allowed: it must be a whole number between 1 and 1,000,000,000,000'),
        (META | {"dim": 250}, "dim=250 is not allowed: it must be a multiple of 2·n_heads=32 (RoPE turns pairs); dim"),
        (META | {"n_heads": True}, "n_heads=true is not allowed: it must be a whole number between 1 and"),
        (META | {"norm_eps": "x"}, "norm_eps='x' is not allowed: it must be a number between 1e-12 and 0.1"),
        (META | {"ffn_dim_multiplier": float("nan")}, "ffn_dim_multiplier=NaN is not allowed: it must be a number ab"),
        (META | {"use_scaled_rope": 1}, "use_scaled_rope=1 is not allowed: it must be true or false"),
        (META | {"moe": {"num_experts": 8}}, 'moe={"num_experts": 8} is not supported: it means a mixture of experts'),
        (OPEN_LM | {"ffn_type": "moe"}, 'ffn_type="moe" is not supported by slimlm: ffn_type="swiglu" or '),
        (OPEN_LM | {"moe_freq": 2}, "moe_freq=2 is not supported by slimlm: moe_freq=0 would work"),
        (LITGPT | {"n_expert": 8}, "n_expert=8 is not supported: slimlm reads litgpt's dense models"),
        (LITGPT | {"mlp_class_name": "MyMLP"}, 'mlp_class_name="MyMLP" and gelu_approximate="none" is not supported:'),
        (LITGPT | {"norm_class_name": "X"}, 'norm_class_name="X" is not supported by slimlm: norm_class_name="LayerN'),
        (LITGPT | {"rotary_percentage": 2}, "rotary_percentage=2 is not allowed: it must be a number between 0 and 1"),
        (LITGPT | {"sliding_window_size": 8, "sliding_window_indices": [1, 2]}, "sliding_window_indices=[1, 2] is not"),
        (LITGPT | {"n_query_groups": 5}, "n_query_groups=5 is not allowed: it must divide n_head=16; n_query_groups="),
        ({"n_embd": 8, "n_layer": 1, "n_head": 1, "block_size": 0}, "block_size=0 is not allowed: it must be a whole"),
        ({"n_embd": 8, "n_layer": 1, "n_head": 3, "block_size": 8}, "n_embd=8 is not allowed: it must be a multiple"),
        (LITGPT | {"post_mlp_norm": True}, "parallel_residual=false and post_attention_norm=false and post_mlp_norm"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_model_is_refused_in_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        from_hf_config(given)
    assert str(caught.value).startswith(sentence)


SIZES = {"dim", "n_heads", "n_head", "n_embd", "n_kv_heads", "n_query_groups", "hidden_dim", "head_size", "head_dim"}
SIZES |= {"block_size", "n_layer", "vocab_size"}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), base=st.sampled_from([META, MISTRAL, STORIES, OPEN_LM, LITGPT, read_config_text(SHAKESPEARE)]))
def test_what_a_refusal_says_would_work_works(data: st.DataObject, base: dict[str, Any]) -> None:
    sizes = sorted(SIZES & base.keys())
    changed = base | data.draw(st.dictionaries(st.sampled_from(sizes), st.integers(1, 2000), min_size=1, max_size=2))
    try:
        from_hf_config(changed)
    except FieldError as error:
        for key, value in error.remedies:
            assert count_total(from_hf_config(changed | {key: value})) > 0


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-2, 600) | st.floats() | st.text(max_size=5) | st.just([1]) | st.just({})
)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), base=st.sampled_from([META, MISTRAL, STORIES, OPEN_LM, LITGPT, read_config_text(SHAKESPEARE)]))
def test_whatever_a_key_holds_the_answer_is_a_model_or_a_sentence(data: st.DataObject, base: dict[str, Any]) -> None:
    changed = base | data.draw(st.dictionaries(st.sampled_from(sorted(base)), VALUES, max_size=3))
    try:
        found = from_hf_config(changed)
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) < 1000
    else:
        assert count_total(found) > 0
        assert all(phrase.isprintable() and len(phrase) <= 200 for phrase in unread(changed))
