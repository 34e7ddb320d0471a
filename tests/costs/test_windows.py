"""Costs of windows: right values of a published model, brute-force counts, and words that only they get."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model
from slimlm.costs import CostSettings, costs
from slimlm.costs.activations import block_bytes_per_token, training_memory
from slimlm.costs.compute import forward_flops
from slimlm.costs.memory import kv_cache_bytes

GEMMA = replace(published_model("gemma-3-270m").architecture, window=512, layer_pattern="wwwwwf")
FULL = replace(GEMMA, window=None, layer_pattern="f", window_rope_theta=None)
PATTERNS = st.text("fw", min_size=1, max_size=5)


def patterned(pattern: str, window: int, n_layers: int = 5) -> Architecture:
    sizes: dict[str, Any] = {"d_model": 24, "d_ff": 32, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 50}
    return Architecture(**sizes, n_layers=n_layers, layer_pattern=pattern, window=window if "w" in pattern else None)


def test_gemma_3_270m_costs_what_its_windows_leave() -> None:
    rows = {row.key: row for row in costs(GEMMA, CostSettings(context_length=32_768))}
    assert rows["kv_cache_bytes"].value == 108_527_616
    assert rows["forward_flops_per_token"].value == 970_194_944
    assert rows["training_usd"].value == pytest.approx(21.91, abs=0.005)
    assert rows["decode_tokens_per_second"].value == pytest.approx(5196, abs=0.5)
    whole = {row.key: row.value for row in costs(FULL, CostSettings(context_length=32_768))}
    assert (whole["kv_cache_bytes"], whole["forward_flops_per_token"]) == (603_979_776, 2_952_003_584)


@given(PATTERNS, st.integers(1, 12), st.integers(1, 20))
def test_attention_and_cache_are_the_pairs_counted_one_by_one(pattern: str, window: int, tokens: int) -> None:
    arch = patterned(pattern, window)
    width, reaches = arch.n_heads * arch.head_width, [window if kind == "w" else tokens for kind in arch.layer_kinds]
    flops = forward_flops(account(arch), tokens)
    assert flops.attention_flops_per_token == sum(4 * width * min(tokens, reach) for reach in reaches)
    pairs = sum(1 for reach in reaches for query in range(tokens) for key in range(query + 1) if query - key < reach)
    assert abs(flops.causal_attention_flops_per_token - 4 * width * pairs / tokens) <= 0.5
    kept = sum(1 for reach in reaches for place in range(tokens) if tokens - place <= reach)
    assert kv_cache_bytes(arch, tokens, 3, "fp32") == 3 * 4 * 2 * arch.kv_heads * arch.head_width * kept


@given(PATTERNS, st.integers(1, 12), st.integers(1, 20))
def test_kept_scores_are_those_of_the_window(pattern: str, window: int, tokens: int) -> None:
    arch = patterned(pattern, window)
    reaches = [min(tokens, window) if kind == "w" else tokens for kind in arch.layer_kinds]
    memory = training_memory(account(arch), tokens, 2, recompute="none")
    assert memory.block_bytes == 2 * tokens * sum(
        block_bytes_per_token(arch, reach, recompute="none") for reach in reaches
    )
    plain = training_memory(account(patterned("f", 1)), tokens, 2, recompute="full").block_bytes
    assert training_memory(account(arch), tokens, 2, recompute="full").block_bytes == plain


def test_a_window_as_long_as_the_context_changes_no_value() -> None:
    wide, settings = replace(FULL, window=512, layer_pattern="w"), CostSettings(context_length=512)
    assert [row.value for row in costs(wide, settings)] == [row.value for row in costs(FULL, settings)]


def test_rows_say_what_windows_do_and_only_of_models_that_have_them() -> None:
    rows = {row.key: row.assumption for row in costs(GEMMA, CostSettings(context_length=32_768))}
    assert rows["kv_cache_bytes"] == (
        "1 sequence of 32,768 tokens; 15 of 18 layers keep 512 tokens at most; engines that reserve pages for every "
        "token of every layer need 604 MB; in bf16"
    )
    for key in ("forward_flops_per_token", "causal_forward_flops_per_token", "training_flops_per_token"):
        assert rows[key].endswith("sequences of 32,768 tokens; 15 of 18 layers attend to 512 tokens at most")
    assert "15 of 18 layers keep 512 tokens at most" in rows["decode_tokens_per_second"]
    short = {row.key: row.assumption for row in costs(GEMMA, CostSettings(context_length=512))}
    assert "pages" not in short["kv_cache_bytes"]
    plain = "".join(row.assumption for row in costs(FULL, CostSettings(context_length=32_768)))
    assert not any(word in plain for word in ("layers keep", "layers attend", "pages", "; ;"))


def test_a_cap_of_the_logits_keeps_its_tanh() -> None:
    capped = replace(FULL, logit_softcap=30.0)
    sizes = [training_memory(account(arch), 64).logits_bytes for arch in (capped, FULL)]
    assert sizes[0] - sizes[1] == 64 * 262_144 * 2
    rows = {row.key: row.assumption for row in costs(capped)}
    assert rows["logits_bytes"].endswith("; the tanh of their cap")
