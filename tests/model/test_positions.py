"""Position tables: computed once, equal to fresh ones, bounded, and no part of a model's state."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.model import layer_positions, positions
from slimlm.model.language_model import LanguageModel
from slimlm.model.positions import PositionTables, alibi_bias, in_reach, rotary_angles, windowed_alibi_bias

ROPE = Architecture(vocab_size=40, max_seq_length=32, n_heads=2, d_model=16, d_ff=8, n_layers=2, positions="rope")
ALIBI = replace(ROPE, positions="alibi")
WINDOWED = replace(ROPE, window=4, layer_pattern="wfwn", window_rope_theta=100.0, rotary_share=0.5, n_layers=5)
WINDOWED_ALIBI = replace(ALIBI, window=4, layer_pattern="wf", attention_softcap=5.0)
WIDE = replace(WINDOWED, window=9)
"""A window that holds the whole sequence, which needs no table."""
MODELS = [
    pytest.param(arch, id=f"{arch.positions}-{arch.layer_pattern}") for arch in (ROPE, ALIBI, WINDOWED, WINDOWED_ALIBI)
]
MAKERS: dict[str, Callable[..., Any]] = {
    "rope": partial(rotary_angles, head_dim=8, theta=10_000.0),
    "alibi": partial(alibi_bias, 4),
    "reach": partial(in_reach, 3),
    "windowed alibi": partial(windowed_alibi_bias, 4, 3),
}


def parts(tables: Any) -> tuple[Tensor, ...]:
    return tables if isinstance(tables, tuple) else (tables,)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kept_tables_equal_fresh_ones(kind: str, dtype: torch.dtype) -> None:
    tables, like = PositionTables(MAKERS[kind]), torch.empty(1, dtype=dtype)
    for tokens in (7, 3, 7):
        fresh = parts(MAKERS[kind](tokens, dtype=dtype))
        kept = parts(tables(tokens, like))
        assert all(
            torch.equal(one, other) and one.dtype in (dtype, torch.bool) for one, other in zip(kept, fresh, strict=True)
        )
    assert tables(3, like) is tables(3, like)
    assert parts(tables(3, torch.empty(1, device="meta")))[0].is_meta


def test_the_latest_tables_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(tokens: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        made.append(tokens)
        return torch.empty(tokens, 1000, device=device, dtype=dtype)

    monkeypatch.setattr(positions, "KEPT_TABLES", 3)
    monkeypatch.setattr(positions, "KEPT_BYTES", 40_000)
    tables, like = PositionTables(make), torch.empty(1)
    for tokens in (1, 2, 1, 3, 4, 1, 9, 9, 20, 20, 9):  # 1 is used again before 2 is dropped
        tables(tokens, like)
    assert made == [1, 2, 3, 4, 9, 20, 9]


@pytest.mark.parametrize(("arch", "tables"), [(ROPE, 1), (ALIBI, 1), (WINDOWED, 3), (WINDOWED_ALIBI, 2), (WIDE, 2)])
def test_a_model_computes_its_tables_once_and_they_are_no_part_of_its_state(
    monkeypatch: pytest.MonkeyPatch, arch: Architecture, tables: int
) -> None:
    made: list[int] = []

    def counting(make: Any) -> Any:
        def count(*args: Any, **options: Any) -> Any:
            made.append(1)
            return make(*args, **options)

        return count

    for name in ("rotary_angles", "alibi_bias", "in_reach", "windowed_alibi_bias"):
        monkeypatch.setattr(layer_positions, name, counting(getattr(positions, name)))
    model, ids = LanguageModel(arch).eval(), torch.randint(40, (2, 9))
    names, expected = list(model.state_dict()), model(ids)[0]
    for _ in range(3):
        assert torch.equal(model(ids)[0], expected)
    assert len(made) == tables
    assert list(model.state_dict()) == names
    assert not list(model.buffers())


@pytest.mark.parametrize("arch", MODELS)
def test_copies_and_moves_give_the_same_logits(arch: Architecture) -> None:
    model, ids = LanguageModel(arch).eval(), torch.randint(40, (2, 9))
    with torch.inference_mode():
        expected = model(ids)[0].clone()
    model(ids, ids)[1].backward()  # tables of inference mode serve training, too
    size = len(pickle.dumps(LanguageModel(arch)))
    assert len(pickle.dumps(model.requires_grad_(True))) < size + 2_000
    for moved in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.to(torch.float64).float()):
        torch.testing.assert_close(moved(ids)[0], expected, rtol=1e-5, atol=1e-6)
    assert LanguageModel(arch, device="meta")(ids.to("meta"))[0].is_meta


@pytest.mark.parametrize("arch", MODELS)
def test_a_compiled_model_has_the_same_logits(arch: Architecture) -> None:
    model, ids = LanguageModel(arch).eval(), torch.randint(40, (2, 9))
    expected = model(ids)[0]
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(ids)[0], expected)
    torch.testing.assert_close(model(ids)[0], expected)
