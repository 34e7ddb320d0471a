"""What happens to a model's weights when they are moved, loaded and assigned, and to ids of the wrong type."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from slimlm.core.architecture import Architecture
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import MultiHeadAttention

SMALL = Architecture(vocab_size=40, max_seq_length=16, n_heads=2, d_model=12, d_ff=20, n_layers=1)


def is_tied(model: LanguageModel) -> bool:
    return model.lm_head.weight is model.token_embedding.weight


def test_a_move_that_fails_leaves_the_model_whole() -> None:
    def fail(_: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    model = LanguageModel(SMALL)
    with pytest.raises(RuntimeError, match="out of memory"):
        model._apply(fail)
    assert is_tied(model)
    assert model(torch.zeros(1, 3, dtype=torch.long))[0].shape == (1, 3, 40)


def test_two_different_tables_are_refused_by_a_tied_model() -> None:
    untied = LanguageModel(Architecture(**{**vars(SMALL), "tied_lm_head": False}))
    with pytest.raises(
        RuntimeError, match=r"lm_head.weight differs from token_embedding.weight, but tied_lm_head=True"
    ):
        LanguageModel(SMALL).load_state_dict(untied.state_dict())
    same = copy.deepcopy(untied.state_dict())
    same["lm_head.weight"] = same["token_embedding.weight"].clone()
    model = LanguageModel(SMALL)
    model.load_state_dict(same)
    assert torch.equal(model.lm_head.weight, untied.token_embedding.weight)


def test_a_head_stays_tied_when_weights_are_assigned_to_a_module_around_it() -> None:
    around: Any = nn.Sequential(LanguageModel(SMALL, device="meta"))
    state = {f"0.{name}": tensor.clone() for name, tensor in LanguageModel(SMALL).state_dict().items()}
    around.load_state_dict(state, assign=True)
    assert is_tied(around[0])


def test_whole_numbers_of_either_width_are_ids_and_labels() -> None:
    model = LanguageModel(SMALL).eval()
    ids = torch.randint(40, (2, 5))
    _, wide = model(ids, ids)
    _, narrow = model(ids.int(), ids.int())
    torch.testing.assert_close(wide, narrow)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_ids_and_labels_of_another_type_are_refused(dtype: torch.dtype) -> None:
    model, ids = LanguageModel(SMALL), torch.ones(1, 4, dtype=torch.long)
    with pytest.raises(ValueError, match=f"input_ids of dtype {dtype} must be integers: int64 or int32"):
        model(ids.to(dtype))
    with pytest.raises(ValueError, match=f"labels of dtype {dtype} must be integers: int64 or int32"):
        model(ids, ids.to(dtype))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^d_model=8 must be a multiple of n_heads=5$"):
        MultiHeadAttention(8, 5)
