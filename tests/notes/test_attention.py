"""Design notes on heads, cache and positions: each speaks where it should, and its figures are right."""

import pytest

from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.published import published_model
from slimlm.notes import Severity
from slimlm.solver.inverse import nearest_request
from slimlm.solver.solver import solve
from slimlm.utils.formatting import format_bytes, format_count, format_share
from tests.designs import design_of, the

DEFAULT = solve(ModelConfig())


@pytest.mark.parametrize(
    ("n_heads", "severity", "words"),
    [
        (512, Severity.WARNING, "head_dim of 1 is odd"),
        (
            128,
            Severity.ADVICE,
            "head_dim of 4 is not a multiple of 8: FlashAttention pads it to 8 and computes 100.0 % more",
        ),
        (32, Severity.INFO, "head_dim of 16 is below the 32 to 256"),
        (1, Severity.WARNING, "head_dim of 512 is above the 256"),
    ],
)
def test_head_dim_speaks(n_heads: int, severity: Severity, words: str) -> None:
    note = the(design_of(d_model=512, n_heads=n_heads), "head_dim")
    assert note.severity == severity
    assert words in note.text


def test_head_dim_of_the_default_is_odd_and_padded_to_32() -> None:
    note = the(DEFAULT, "head_dim")
    assert note.figure == "head_dim 27"
    assert f"pads it to 32 and computes {format_share(5 / 27)} more" in note.text
    assert "rules out RoPE" in note.text and "RoFormer" in note.source


@pytest.mark.parametrize("positions", ["alibi", "none"])
def test_an_odd_head_dim_is_merely_padded_where_rope_is_not_at_issue(positions: str) -> None:
    note = the(design_of(d_model=8 * 27, n_heads=8, positions=positions), "head_dim")
    assert note.severity == "advice"
    assert note.text.startswith("A head_dim of 27 is not a multiple of 8: FlashAttention pads it to 32")
    assert "RoPE" not in note.text and "RoFormer" not in note.source


@pytest.mark.parametrize(
    ("n_heads", "severity", "times"),
    [(4, "advice", "0.5"), (7, "advice", "0.88"), (10, "info", "1.2"), (24, "advice", "3")],
)
def test_attention_width_names_published_examples(n_heads: int, severity: str, times: str) -> None:
    note = the(design_of(d_model=512, n_heads=n_heads, head_dim=64), "attention_width")
    assert (note.severity, note.figure) == (severity, f"{64 * n_heads:,}, d_model 512")
    assert f"(n_heads · head_dim), {times} times d_model 512" in note.text
    assert "57 of the 60" in note.text
    assert "in the others it is 0.89 times (gemma-2-2b) to 2 times (Qwen3-0.6B)" in note.text


@pytest.mark.parametrize(
    ("n_kv_heads", "severity", "words"),
    [
        (2, "info", "With 2 KV heads for 8 query heads"),
        (1, "advice", "a single KV head can lose some"),
    ],
)
def test_shared_heads_say_what_they_save(n_kv_heads: int, severity: str, words: str) -> None:
    note = the(design_of(d_model=512, n_layers=12, n_heads=8, n_kv_heads=n_kv_heads), "kv_cache")
    shared, unshared = (format_bytes(2 * 2 * 12 * heads * 64) for heads in (n_kv_heads, 8))
    assert (note.severity, note.figure) == (severity, f"{shared} per token")
    assert f"takes {shared} per token in 16 bits instead of {unshared}" in note.text
    assert words in note.text


def test_a_cache_larger_than_the_model_asks_for_shared_heads() -> None:
    design = design_of(d_model=512, n_layers=12, positions="rope", max_seq_length=4096)
    note = the(design, "kv_cache")
    assert note.severity == "advice"
    assert note.figure == f"{format_bytes(4096 * 2 * 2 * 12 * 512)} per sequence"
    assert f"more than the weights' {format_bytes(2 * design.total_params)}" in note.text


@pytest.mark.parametrize(("name", "bytes_per_token"), [("MobileLLM-125M", 23_040), ("TinyLlama-1.1B", 22_528)])
def test_the_cache_of_published_models(name: str, bytes_per_token: int) -> None:
    arch = published_model(name).architecture
    design = Design(nearest_request(arch), arch)
    assert the(design, "kv_cache").figure == f"{format_bytes(bytes_per_token)} per token"


def test_no_positions_are_weighed() -> None:
    note = the(design_of(positions="none"), "no_positions")
    assert (note.severity, note.figure) == ("advice", "0 of the 74 published models")
    assert "arXiv 2305.19466" in note.source


def test_a_small_rope_theta_is_compared_with_that_of_long_models() -> None:
    note = the(design_of(positions="rope", max_seq_length=32_768), "rope_theta")
    assert note.figure == "10,000 for 32,768 tokens"
    assert "the median of 9 published dense models with more than 8,192 is 1,000,000" in note.text


@pytest.mark.parametrize(("length", "severity"), [(512, "info"), (65_536, "advice")])
def test_learned_positions_speak(length: int, severity: str) -> None:
    design = design_of(max_seq_length=length)
    note = the(design, "learned_positions")
    assert (note.severity, note.figure) == (severity, f"{length:,} tokens")
    assert f"{format_count(length * 512)} parameters ({format_share(length * 512 / design.total_params)})" in note.text


def test_windows_give_the_cache_that_they_save() -> None:
    model = published_model("gemma-3-270m")
    note = the(Design(nearest_request(model.architecture), model.architecture), "windows")
    assert note.severity == "info"
    assert note.text.startswith(
        "With a window of 512 tokens in 15 of 18 layers the KV cache of 32,768 tokens takes 109 MB in 16 bits "
        "instead of 604 MB, and more where an engine reserves whole pages: 9 of the 74 published models in slimlm "
    )
    assert note.figure == "window of 512 tokens"


def test_a_window_that_no_sequence_exceeds_changes_nothing() -> None:
    note = the(design_of(window=512, layer_pattern="w"), "windows")
    assert note.severity == "advice"
    assert note.text == "A window of 512 tokens changes nothing: it holds the longest sequence, of 512 tokens."
