"""Building a model: each weight once, initialised as declared, from any source."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.model import initialisation
from slimlm.model.initialisation import INIT_STD
from slimlm.model.language_model import LanguageModel
from slimlm.solver.solver import solve
from tests.model.test_language_model import SMALL, UNTIED, built, some_ids

pytestmark = pytest.mark.usefixtures("seeded_on_one_thread")


# Building


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the elements of every new tensor off the meta device, and of those that are written in place."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allocated = self.written = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not out.is_meta:
            alias = func._schema.returns[0].alias_info
            self.allocated += out.numel() if alias is None else 0
            self.written += out.numel() if alias is not None and alias.is_write else 0
        return out


@pytest.mark.parametrize("arch", [SMALL, UNTIED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_building_allocates_and_initialises_each_weight_once(
    arch: Architecture, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, initialised, initialise = count_total(arch), list[int](), initialisation._initialise_chunk

    # The recorder sees this thread alone, and matrices are initialised in others.
    def count(chunk: Tensor, seed: int) -> int:
        initialised.append(initialise(chunk, seed))
        return initialised[-1]

    monkeypatch.setattr(initialisation, "_initialise_chunk", count)
    with Recorder() as recorder:
        model = LanguageModel(arch, dtype=dtype)
    assert recorder.allocated == weights + 1  # and the seed
    assert recorder.written + sum(initialised) == weights
    assert model(some_ids(arch))[0].dtype == dtype
    with Recorder() as recorder:
        LanguageModel(arch, dtype=dtype, initialise=False)
    assert (recorder.allocated, recorder.written) == (weights, 0)


def test_matrices_are_initialised_with_std_002_and_norms_are_neutral() -> None:
    torch.manual_seed(1)
    assert INIT_STD == 0.02
    for name, parameter in LanguageModel(ModelConfig(tied_lm_head=False)).named_parameters():
        if parameter.ndim == 2:
            assert parameter.std().item() == pytest.approx(INIT_STD, rel=0.02), name
            assert parameter.mean().abs() < 5 * INIT_STD / math.sqrt(parameter.numel()), name
        else:
            assert (parameter == (0 if name.endswith("bias") else 1)).all(), name


def test_initialisation_follows_the_global_seed() -> None:
    torch.manual_seed(5)
    model = LanguageModel(SMALL)
    torch.manual_seed(5)
    again, other = LanguageModel(SMALL).state_dict(), LanguageModel(SMALL).state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in model.state_dict().items())
    assert not torch.equal(model.lm_head.weight, other["lm_head.weight"])


def test_reset_parameters_reports_every_parameter() -> None:
    model = built()
    initialised: list[int] = []
    model.reset_parameters(initialised.append)
    assert sorted(initialised) == sorted(parameter.numel() for parameter in model.parameters())
    assert torch.equal(model.get_parameter("final_norm.weight"), torch.ones(SMALL.d_model))
    assert model.lm_head.weight.abs().max() < 0.2


@pytest.mark.parametrize("source", [ModelConfig(), solve(ModelConfig()), solve(ModelConfig()).architecture])
def test_builds_from_a_request_a_design_or_an_architecture(source: Any) -> None:
    model, design = LanguageModel(source, device="meta"), solve(ModelConfig())
    assert model.config == (None if isinstance(source, Architecture) else ModelConfig())
    assert model.architecture == design.architecture
    assert (model.d_model, model.d_ff, model.n_layers) == design.dims
    assert model.token_embedding.weight.shape == (16_000, design.architecture.d_model)
    assert sum(parameter.numel() for parameter in model.parameters()) == design.total_params


def test_builds_on_the_meta_device_without_memory() -> None:
    with Recorder() as recorder:
        model = LanguageModel(
            ModelConfig(total_params=10**12, vocab_size=128_000, embedding_ratio=0.002), device="meta"
        )
    assert all(parameter.is_meta for parameter in model.parameters())
    assert (recorder.allocated, recorder.written) == (0, 0)
    with torch.device("meta"):
        assert LanguageModel(SMALL).lm_head.weight.is_meta
