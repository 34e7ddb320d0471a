"""A streamed model has the logits of the whole model of the same seed, with one block in memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.model import initialisation, streaming
from slimlm.model.language_model import LanguageModel
from slimlm.model.streaming import StreamedModel, slice_rows
from tests.model.structures import CAPPED, STRUCTURES

CPU = torch.device("cpu")


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks and slices so small that small tables have many."""
    monkeypatch.setattr(initialisation, "CHUNK", 256)
    monkeypatch.setattr(streaming, "SLICE", 512)
    yield


def both(
    arch: Architecture, dtype: torch.dtype = torch.float32, *, slices: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the logits of two batches by the whole model and by the streamed one."""
    batches = [torch.randint(arch.vocab_size, (2, 9)) for _ in range(2)]
    model = LanguageModel(arch, initialise=False, dtype=dtype).eval()
    model.reset_parameters(seed=11)
    with torch.inference_mode():
        whole = [model(ids)[0] for ids in batches]
        parts = list(StreamedModel(arch, 11, CPU, dtype, slices=slices).logits(batches, lambda done, activity: None))
    firsts, widths = [first for first, _ in parts], [logits[0].shape[-1] for _, logits in parts]
    assert firsts == [sum(widths[:number]) for number in range(len(widths))]
    return whole, [torch.cat([logits[number] for _, logits in parts], -1) for number in range(2)]


@pytest.mark.parametrize(
    "structure", [*STRUCTURES, CAPPED], ids=lambda structure: "-".join(map(str, structure.values()))
)
def test_every_structure_gives_the_logits_of_the_whole_model(structure: dict[str, Any]) -> None:
    arch = Architecture(vocab_size=60, max_seq_length=16, d_model=32, d_ff=24, n_layers=3, n_heads=4, **structure)
    whole, streamed = both(arch)
    assert all(torch.equal(one, other) for one, other in zip(whole, streamed, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tied_lm_head": False, "lm_head_bias": True},
        {"embedding_norm": True, "positions": "alibi"},
        {"position_offset": 2, "block": "output_norm"},
    ],
)
def test_tables_in_slices_give_the_logits_of_the_whole_model(
    small_slices: None, more: dict[str, Any], dtype: torch.dtype
) -> None:
    arch = Architecture(vocab_size=1001, max_seq_length=16, d_model=8, d_ff=6, n_layers=2, n_heads=2, **more)
    assert slice_rows(arch.vocab_size, arch.d_model) < 100
    whole, streamed = both(arch, dtype)
    for one, other in zip(whole, streamed, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5 if dtype == torch.float32 else 1e-2, atol=1e-6)


@pytest.mark.parametrize(
    "structure", [*STRUCTURES, CAPPED], ids=lambda structure: "-".join(map(str, structure.values()))
)
def test_blocks_in_slices_give_the_logits_of_the_whole_model(small_slices: None, structure: dict[str, Any]) -> None:
    arch = Architecture(vocab_size=60, max_seq_length=16, d_model=32, d_ff=24, n_layers=3, n_heads=4, **structure)
    assert slice_rows(arch.d_ff, arch.d_model) < arch.d_ff
    for one, other in zip(*both(arch, slices=True), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


MIXED: dict[str, Any] = {
    "n_experts": 6,
    "experts_per_token": 2,
    "n_shared_experts": 1,
    "n_dense_layers": 1,
    "d_dense": 40,
    "ffn": "swiglu",
}


@pytest.mark.parametrize("tokens", [9, 16, 48])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "structure",
    [*STRUCTURES, CAPPED, MIXED, {"n_loops": 2}],
    ids=lambda structure: "-".join(map(str, structure.values())),
)
def test_batches_in_slices_have_the_bits_of_each_alone(
    small_slices: None, structure: dict[str, Any], dtype: torch.dtype, tokens: int
) -> None:
    arch = Architecture(vocab_size=60, max_seq_length=64, d_model=40, d_ff=23, n_layers=2, n_heads=4, **structure)
    batches = [torch.randint(arch.vocab_size, (2, tokens)) for _ in range(3)]

    def logits(*ids: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            parts = list(StreamedModel(arch, 5, CPU, dtype, slices=True).logits(ids, lambda done, activity: None))
        return [torch.cat([part[number] for _, part in parts], -1) for number in range(len(ids))]

    for ids, found in zip(batches, logits(*batches), strict=True):
        assert torch.equal(logits(ids)[0], found)


@pytest.mark.parametrize(("slices", "tokens", "times"), [(False, 9, 1), (True, 16, 1), (True, 9, 3)])
@pytest.mark.parametrize("structure", [{}, MIXED])
def test_weights_are_initialised_once_for_all_batches(
    small_slices: None,
    monkeypatch: pytest.MonkeyPatch,
    structure: dict[str, Any],
    slices: bool,
    tokens: int,
    times: int,
) -> None:
    shape = {"vocab_size": 60, "max_seq_length": 64, "d_model": 32, "d_ff": 24, "n_layers": 3, "n_heads": 4}
    arch = Architecture(**shape | {"positions": "rope"} | structure)
    batches, counted = [torch.randint(arch.vocab_size, (2, tokens)) for _ in range(3)], list[int]()
    initialise = initialisation._initialise_chunk

    def count(chunk: Tensor, seed: int) -> int:
        counted.append(initialise(chunk, seed))
        return counted[-1]

    monkeypatch.setattr(initialisation, "_initialise_chunk", count)
    with torch.inference_mode():
        list(StreamedModel(arch, 5, CPU, torch.float32, slices=slices).logits(batches, lambda done, activity: None))
    blocks = LanguageModel(arch, device="meta").blocks
    matrices = {name: parameter.numel() for name, parameter in blocks.named_parameters() if parameter.ndim > 1}
    once = sum(size for name, size in matrices.items() if "router" in name) + 2 * 60 * 32  # the embedding, and the head
    assert sum(counted) == times * sum(size for name, size in matrices.items() if "router" not in name) + once


def test_one_block_is_in_memory_at_a_time() -> None:
    arch = Architecture(vocab_size=60, max_seq_length=16, d_model=32, d_ff=24, n_layers=5, n_heads=4)
    streamed, seen = StreamedModel(arch, 0, CPU, torch.float32), list[int]()

    def look(done: float, activity: str) -> None:
        if activity.startswith("running block"):
            seen.append(sum(part.numel() for part in streamed.model.parameters() if not part.is_meta))

    with torch.inference_mode():
        list(streamed.logits([torch.zeros(1, 3, dtype=torch.long)], look))
    assert seen
    assert set(seen) == {account(arch).layer_params}
    assert all(parameter.is_meta for parameter in streamed.model.blocks.parameters())


DEEP = """
import resource
import torch
from slimlm.core.architecture import Architecture
from slimlm.model.streaming import StreamedModel

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def run(n_layers):
    shape = {"vocab_size": 256, "max_seq_length": 16, "n_heads": 1, "d_model": 8, "d_ff": 8}
    streamed = StreamedModel(Architecture(**shape, n_layers=n_layers), 0, torch.device("cpu"), torch.float32)
    assert len(streamed.model.blocks) == 1
    with torch.inference_mode():
        list(streamed.logits([torch.zeros(1, 3, dtype=torch.long)], lambda done, activity: None))

torch.set_num_threads(1)
run(200)
before = peak()
run(4_000)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read in kilobytes")
def test_a_deep_streamed_model_takes_the_memory_of_one_block() -> None:
    command = [sys.executable, "-c", DEEP]  # in a fresh interpreter the highest memory is the model's own
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert int(out.stdout) < 20e6, "4,000 blocks would take 180 MB"


def test_the_weights_of_a_layer_follow_from_its_number_without_the_layers_before() -> None:
    shape: dict[str, Any] = {"vocab_size": 60, "max_seq_length": 16, "n_heads": 1, "d_model": 8, "d_ff": 8}
    arch = Architecture(**shape, n_layers=1_000_000, tied_lm_head=False)
    weights = StreamedModel(arch, 3, CPU, torch.float32).weights
    whole = LanguageModel(Architecture(**shape, n_layers=12, tied_lm_head=False), initialise=False)
    whole.reset_parameters(seed=3)
    name = "blocks.11.ffn.up_proj.weight"
    row = torch.empty(8, 8)
    weights.initialise({name: row})
    assert torch.equal(row, whole.get_parameter(name))
