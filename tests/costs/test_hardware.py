"""Time, price and speed of decoding: what others report of real runs, and the roofline worked out by hand."""

import pytest

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model
from slimlm.costs.compute import forward_flops
from slimlm.costs.hardware import ACCELERATORS, accelerator, decode_step, training_run
from slimlm.costs.memory import weight_bytes

A100 = accelerator("a100")


def test_tinyllama_trains_as_long_as_its_authors_report() -> None:
    # TinyLlama's README: 3T tokens in 90 days on 16 A100s, at 24k tokens/s each: 56 % of the peak.
    flops_per_token = forward_flops(
        account(published_model("TinyLlama-1.1B").architecture), 2048
    ).training_flops_per_token
    assert 24_000 * flops_per_token / A100.peak_flops_per_second == pytest.approx(0.56, abs=0.005)
    run = training_run(3e12 * flops_per_token, A100, utilisation=0.56, accelerators=16)
    assert run.seconds / 86_400 == pytest.approx(90, abs=1.5)


def test_palm_reached_the_utilisation_that_its_authors_report() -> None:
    # Chowdhery et al. 2022, Table 3 and appendix B: 238.3k tokens/s on 6,144 TPU v4 of 275 TFLOP/s are 46.2 %.
    palm = Architecture(
        vocab_size=256_000,
        max_seq_length=2048,
        d_model=18_432,
        d_ff=4 * 18_432,
        n_layers=118,
        n_heads=48,
        n_kv_heads=1,
        head_dim=256,
        positions="rope",
    )
    reached = 238_300 * forward_flops(account(palm), 2048).training_flops_per_token / (6144 * 275e12)
    assert reached == pytest.approx(0.462, abs=0.002)


def test_a_run_costs_its_hours() -> None:
    run = training_run(312e12 * 7200, A100, utilisation=0.5, accelerators=4, usd_per_hour=1.5)
    assert run.accelerator_hours == pytest.approx(4)
    assert run.seconds == pytest.approx(3600)
    assert run.usd == pytest.approx(6)


def test_decoding_reads_what_gpt_fast_measured_per_token_of_llama_2() -> None:
    # gpt-fast's README: Llama-2-7B in bf16 on an A100 80GB, 104.9 tokens/s at 1,397.31 GB/s, 200 new tokens.
    step = decode_step(account(published_model("Llama-2-7b").architecture), A100, tokens=205)
    assert step.read_bytes == pytest.approx(1397.31e9 / 104.9, rel=0.001)
    assert step.bound == "memory"
    assert 104.9 < step.tokens_per_second == pytest.approx(2039 / 1397.31 * 104.9, rel=0.001)


@pytest.mark.parametrize("tied", [True, False])
def test_decoding_reads_the_head_but_not_the_tables_of_which_it_looks_up_a_row(tied: bool) -> None:
    arch = Architecture(d_model=64, d_ff=128, n_layers=2, vocab_size=1000, max_seq_length=300, tied_lm_head=tied)
    step = decode_step(
        account(arch), A100, tokens=100, sequences=3, precision="int8", cache_precision="fp32", group_size=32
    )
    looked_up = 300 + (0 if tied else 1000)
    weights = weight_bytes(account(arch), "int8", 32) - looked_up * (64 + 2 * 2)
    assert step.read_bytes == weights + 3 * 100 * 2 * 2 * 64 * 4


def test_large_batches_are_bound_by_compute() -> None:
    arch = published_model("SmolLM2-135M").architecture
    steps = [decode_step(account(arch), A100, tokens=1, sequences=2**power) for power in range(14)]
    assert [steps[0].bound, steps[-1].bound] == ["memory", "compute"]
    assert steps[-1].tokens_per_second * steps[-1].flops / 2**13 == pytest.approx(312e12)
    assert steps[0].seconds == steps[0].read_bytes / 2039e9


@pytest.mark.parametrize("key", ACCELERATORS)
def test_datasheets_agree_with_their_source_line(key: str) -> None:
    chip = accelerator(key)
    assert chip.key == key
    teraflops, memory, bandwidth = _figures(chip.source)
    assert chip.peak_flops_per_second == teraflops * 1e12
    assert chip.memory_bytes == memory * 1e9
    assert chip.bandwidth_bytes_per_second == bandwidth


def _figures(source: str) -> tuple[float, float, float]:
    """Read peak in TFLOPS, memory in GB and bandwidth in bytes per second out of "…: peak, memory, bandwidth"."""
    first, memory, bandwidth = source.rpartition(": ")[2].replace(", ", ";").replace(",", "").split(";")
    eighth = 8 if "an eighth" in source else 1
    amount, unit, *rest = first.split()
    teraflops = float(amount) * (1000 if unit == "PFLOPS" else 1) / (2 if rest == ["with", "sparsity"] else 1)
    speed = float(bandwidth.split()[0]) * (1e12 if "TB/s" in bandwidth else 1e9)
    return teraflops / eighth, float(memory.split()[0]) / eighth, speed / eighth


def test_bad_arguments_are_refused() -> None:
    arch = Architecture(d_model=8, d_ff=8, n_layers=1)
    with pytest.raises(
        ValueError, match=r"^accelerator='v100' is not allowed: it must be one of 'a100', .*'a100' woul"
    ):
        accelerator("v100")
    with pytest.raises(ValueError, match=r"^flops=0 is not allowed: it must be a finite number above 0"):
        training_run(0, A100, utilisation=0.4)
    with pytest.raises(ValueError, match=r"^utilisation=40 is not allowed: it is a share of the peak; 0\.4 would work"):
        training_run(1, A100, utilisation=40)
    with pytest.raises(ValueError, match=r"^accelerators=0 is not allowed: it must be a whole number of at least 1"):
        training_run(1, A100, utilisation=0.4, accelerators=0)
    with pytest.raises(ValueError, match=r"^usd_per_hour=-1 is not allowed: it must not be negative; 0 would work"):
        training_run(1, A100, utilisation=0.4, usd_per_hour=-1)
    with pytest.raises(ValueError, match=r"^sequences=0 is not allowed: it must be a whole number of at least 1"):
        decode_step(account(arch), A100, tokens=1, sequences=0)
