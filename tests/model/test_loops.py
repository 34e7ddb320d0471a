"""A stack that is run several times: parameters once; operations, caches and attention kernels each time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from slimlm.core.accounting import account, count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.table import count_parameters
from slimlm.costs import CostSettings
from slimlm.costs.activations import training_memory
from slimlm.costs.compute import forward_flops
from slimlm.costs.hardware import accelerator, decode_step
from slimlm.costs.memory import kv_cache_bytes_per_token
from slimlm.costs.rows import costs
from slimlm.interop.hf.export_config import no_class_sentence, to_hf_config
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import from_pretrained, save_pretrained
from slimlm.model.streaming import StreamedModel
from slimlm.probing.probe import probe
from slimlm.probing.shape_check import check_shapes
from slimlm.solver.solver import solve
from slimlm.utils.validation import FieldError
from tests.strategies import architectures

LOOPED = Architecture(
    d_model=32, d_ff=48, n_layers=2, n_loops=3, n_heads=4, vocab_size=50, max_seq_length=16, dropout=0.0,
    attention_dropout=0.0, norm="rmsnorm", positions="rope",
)  # fmt: skip
WIDE = Architecture(d_model=1024, d_ff=2048, n_layers=3, n_loops=3, n_heads=8, vocab_size=1024, max_seq_length=1024)
IDS = torch.arange(24).view(2, 12) % 50


def unrolled(arch: Architecture) -> Architecture:
    """Return the architecture with a block of its own wherever a block is used."""
    return replace(arch, n_layers=arch.n_layers * arch.n_loops, n_loops=1)


def test_logits_are_those_of_a_stack_of_copies() -> None:
    looped = LanguageModel(LOOPED).eval()
    copies = LanguageModel(unrolled(LOOPED)).eval()
    state = looped.state_dict()
    blocks = {f"blocks.{place}.": f"blocks.{place % 2}." for place in range(6)}
    wanted = {
        name: state[next((name.replace(copy, own, 1) for copy, own in blocks.items() if name.startswith(copy)), name)]
        for name in copies.state_dict()
    }
    copies.load_state_dict(wanted)
    torch.testing.assert_close(looped(IDS)[0], copies(IDS)[0], rtol=0, atol=0)


@given(architectures(max_layers=3, max_head=4))
@settings(max_examples=30, deadline=None)
def test_parameters_count_once_and_operations_each_time(arch: Architecture) -> None:
    tokens = min(8, arch.max_seq_length)
    model = LanguageModel(arch, device="meta").eval()
    assert count_parameters(model) == count_total(arch) == count_total(replace(arch, n_loops=1))
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, tokens, dtype=torch.long, device="meta"))
    flops = forward_flops(account(arch), tokens).flops_per_token
    assert counter.get_total_flops() == 2 * tokens * flops
    assert flops == forward_flops(account(unrolled(arch)), tokens).flops_per_token


def test_three_layers_used_three_times_cost_what_nine_do() -> None:
    looped, nine = account(WIDE), account(unrolled(WIDE))
    assert looped.total_params == account(replace(WIDE, n_loops=1)).total_params
    assert forward_flops(looped, 1024) == forward_flops(nine, 1024)
    assert kv_cache_bytes_per_token(WIDE) == 2 * 9 * 1024 * 2 == kv_cache_bytes_per_token(unrolled(WIDE))
    for recompute in ("selective", "full"):
        one, other = (training_memory(counted, 1024, recompute=recompute) for counted in (looped, nine))
        assert one.block_bytes == other.block_bytes
        assert one.state_bytes == 16 * looped.total_params
    chip = accelerator("h100")
    assert decode_step(looped, chip, tokens=1024) == decode_step(nine, chip, tokens=1024)


def test_a_decoding_step_says_that_blocks_are_read_for_each_loop() -> None:
    row = next(row for row in costs(WIDE, CostSettings()) if row.key == "decode_read_bytes")
    assert "blocks once for each of 3 loops" in row.assumptions
    once = next(row for row in costs(replace(WIDE, n_loops=1), CostSettings()) if row.key == "decode_read_bytes")
    assert not any("loop" in text for text in once.assumptions)


def test_attention_is_run_for_each_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, kernel = [], F.scaled_dot_product_attention

    def counted(*arguments: Any, **options: Any) -> torch.Tensor:
        calls.append(options["is_causal"])
        return kernel(*arguments, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    LanguageModel(LOOPED).eval()(IDS)
    assert calls == [True] * 6


def test_the_checks_of_a_looped_model_hold() -> None:
    report = probe(LOOPED)
    assert report.passed, report.checks
    assert check_shapes(LOOPED).passed


@pytest.mark.parametrize("slices", [False, True])
def test_a_looped_model_runs_part_by_part(slices: bool) -> None:
    whole = LanguageModel(LOOPED, initialise=False).eval()
    whole.reset_parameters(seed=5)
    streamed = StreamedModel(LOOPED, 5, torch.device("cpu"), torch.float32, slices=slices)
    seen: list[float] = []
    with torch.inference_mode():
        parts = list(streamed.logits([IDS], lambda done, activity: seen.append(done)))
        torch.testing.assert_close(torch.cat([logits[0] for _, logits in parts], -1), whole(IDS)[0])
    assert seen == sorted(seen)
    assert 0.99 < seen[-1] < 1 + 1e-9  # slices leave vectors out


def test_earlier_tokens_do_not_see_later_ones() -> None:
    model = LanguageModel(LOOPED).eval()
    changed = IDS.clone()
    changed[:, 7:] = 3
    torch.testing.assert_close(model(IDS)[0][:, :7], model(changed)[0][:, :7])


def test_a_looped_model_is_saved_and_loaded(tmp_path: Path) -> None:
    model = LanguageModel(LOOPED).eval()
    loaded = from_pretrained(save_pretrained(model, tmp_path / "model")).eval()
    assert loaded.architecture == LOOPED
    torch.testing.assert_close(loaded(IDS)[0], model(IDS)[0], rtol=0, atol=0)


def test_every_block_gets_the_gradient_of_all_its_uses() -> None:
    model = LanguageModel(LOOPED)
    _, loss = model(IDS, IDS)
    assert loss is not None
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_formats_without_loops_refuse_them() -> None:
    with pytest.raises(ValueError, match=r"n_loops=3.* has no class in transformers; n_loops=1 leads to Llama"):
        to_hf_config(LOOPED)
    assert "each layer used once" in no_class_sentence(LOOPED)
    assert to_hf_config(replace(LOOPED, n_loops=1))["num_hidden_layers"] == 2
    for write, name in ((litgpt_config, "litgpt"), (megatron_arguments, "Megatron-LM")):
        message = rf"{name} cannot express n_loops=3 \(it runs each layer once\); n_loops=1 would work"
        with pytest.raises(ValueError, match=message):
            write(LOOPED)
        assert write(replace(LOOPED, n_loops=1))


@pytest.mark.parametrize(("loops", "works"), [(0, 1), (1001, 1000)])
def test_a_number_of_loops_outside_the_limits_is_refused(loops: int, works: int) -> None:
    message = (
        f"n_loops={loops} is not allowed: it must be a whole number between 1 and 1,000; n_loops={works} would work"
    )
    with pytest.raises(FieldError, match=message):
        ModelConfig(n_loops=loops)


def test_the_solver_finds_the_same_shape_with_loops() -> None:
    assert solve(ModelConfig(n_loops=3)).dims == solve(ModelConfig()).dims
