"""Weights depend on the seed and their place alone: not on threads, parts, dtype or device."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from slimlm.core.architecture import Architecture
from slimlm.model import initialisation
from slimlm.model.initialisation import INIT_STD, Weights, chunk_rows
from slimlm.model.language_model import LanguageModel

ARCH = Architecture(vocab_size=300, max_seq_length=16, n_heads=2, d_model=24, d_ff=40, n_layers=3, tied_lm_head=False)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so small that small matrices have many."""
    monkeypatch.setattr(initialisation, "CHUNK", 200)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def initialised(seed: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    model = LanguageModel(ARCH, initialise=False, dtype=dtype)
    model.reset_parameters(seed=seed)
    return model.state_dict()


def test_any_number_of_threads_gives_the_same_weights(threads: None) -> None:
    found = []
    for count in (1, 2, 3, 7):
        torch.set_num_threads(count)
        found.append(initialised(5))
    for other in found[1:]:
        assert all(torch.equal(weight, other[name]) for name, weight in found[0].items())


def test_seeds_differ_and_no_two_rows_are_alike() -> None:
    one, other = initialised(1), initialised(2)
    rows = torch.cat([weight[:, :24] for weight in one.values() if weight.ndim == 2 and weight.shape[1] >= 24])
    assert len(torch.unique(rows, dim=0)) == len(rows)
    assert not any(torch.equal(weight, other[name]) for name, weight in one.items() if weight.ndim == 2)


def test_bfloat16_weights_are_the_float32_ones_rounded() -> None:
    exact, rounded = initialised(3), initialised(3, torch.bfloat16)
    assert all(torch.equal(weight.bfloat16(), rounded[name]) for name, weight in exact.items())


def test_matrices_are_normal_and_vectors_neutral() -> None:
    for name, weight in initialised(0).items():
        if weight.ndim == 2:
            assert weight.std().item() == pytest.approx(INIT_STD, rel=0.1), name
            assert weight.mean().abs() < 5 * INIT_STD / math.sqrt(weight.numel()), name
        else:
            assert (weight == (0 if name.endswith("bias") else 1)).all(), name


@settings(deadline=None)
@given(seed=st.integers(0, 2**40), first=st.integers(0, 30), count=st.integers(1, 100))
def test_rows_are_initialised_as_in_the_whole_table(seed: int, first: int, count: int) -> None:
    table = nn.Embedding(300, 24, device="meta")
    whole, start = torch.empty(300, 24), first * chunk_rows(24)
    rows = torch.empty(min(count, 300 - start), 24)
    Weights(table, seed).initialise({"weight": whole})
    Weights(table, seed).initialise_rows("weight", rows, start)
    full = len(rows) // chunk_rows(24) * chunk_rows(24) if start + len(rows) < 300 else len(rows)
    assert torch.equal(rows[:full], whole[start : start + full])


@settings(deadline=None)
@given(st.lists(st.integers(0, 299), min_size=1, max_size=20))
def test_picked_rows_are_those_of_the_whole_table(numbers: list[int]) -> None:
    table, whole = nn.Embedding(300, 24, device="meta"), torch.empty(300, 24)
    weights = Weights(table, 1)
    weights.initialise({"weight": whole})
    assert torch.equal(
        weights.pick_rows("weight", torch.tensor([numbers]), table.weight), whole[torch.tensor([numbers])]
    )


class StopError(Exception):
    """Raised by a listener that cancels."""


def test_exceptions_of_the_listener_cancel_the_initialisation() -> None:
    model, heard = LanguageModel(ARCH, initialise=False), list[int]()

    def stop(elements: int) -> None:
        heard.append(elements)
        raise StopError("enough")

    with pytest.raises(StopError, match="enough"):
        model.reset_parameters(stop)
    assert len(heard) == 1


def test_the_global_generator_is_asked_only_without_a_seed() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    initialised(4)
    assert torch.equal(torch.random.get_rng_state(), state)
    LanguageModel(ARCH)
    assert not torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_devices_get_a_copy_of_the_weights_generated_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, threads: None, dtype: torch.dtype
) -> None:
    """The meta device stands in for an accelerator; what is copied to it is recorded."""
    on_cpu, copied, copy = torch.empty(50, 24, dtype=dtype), list[Tensor](), Tensor.copy_

    def record(self: Tensor, source: Tensor) -> Tensor:
        copied.append(source)
        return copy(self, source)

    torch.set_num_threads(1)
    table = nn.Embedding(50, 24, device="meta")
    Weights(table, 9).initialise({"weight": on_cpu})
    monkeypatch.setattr(Tensor, "copy_", record)
    Weights(table, 9).initialise({"weight": torch.empty(50, 24, dtype=dtype, device="meta")})
    copied = copied[-7:]  # chunks of 8 rows; the CPU's bfloat16 weights are copied as well
    assert {(part.device.type, part.dtype) for part in copied} == {("cpu", dtype)}
    assert torch.equal(torch.cat(copied), on_cpu)


def test_the_default_dtype_does_not_change_the_weights() -> None:
    expected = initialised(6, torch.bfloat16)
    torch.set_default_dtype(torch.float64)
    try:
        found = initialised(6, torch.bfloat16)
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(weight, found[name]) for name, weight in expected.items())
