"""`LanguageModel`: its forward pass, its loss and its tied head."""

import copy
import io
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.model.language_model import LanguageModel
from slimlm.solver.solver import BudgetError

SMALL = Architecture(vocab_size=40, max_seq_length=16, n_heads=2, d_model=12, d_ff=20, n_layers=2)
UNTIED = replace(SMALL, tied_lm_head=False)

pytestmark = pytest.mark.usefixtures("seeded_on_one_thread")


def built(arch: Architecture = SMALL, seed: int = 0) -> LanguageModel:
    """Build a model in evaluation mode, with weights large enough for every part to matter."""
    torch.manual_seed(seed)
    model = LanguageModel(arch).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def some_ids(arch: Architecture, batch: int = 2, tokens: int = 16) -> Tensor:
    return torch.randint(arch.vocab_size, (batch, tokens))


# The forward pass


def test_dropout_acts_in_training_alone() -> None:
    model, ids = built(), some_ids(SMALL)
    assert (model.train()(ids)[0] != model(ids)[0]).any()
    torch.testing.assert_close(model.eval()(ids)[0], model(ids)[0], rtol=0, atol=0)


def test_the_two_dropout_rates_reach_their_places() -> None:
    model: Any = LanguageModel(replace(SMALL, dropout=0.25, attention_dropout=0.5))
    assert model.dropout.p == model.blocks[1].ffn.dropout.p == model.blocks[1].attention.dropout.p == 0.25
    assert model.blocks[1].attention.attention_dropout == 0.5


def test_causal_mask() -> None:
    model = built()
    mask = model.get_causal_mask(3)
    assert mask.shape == (1, 1, 3, 3)
    assert mask[0, 0].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert model.get_causal_mask(3, device="meta").is_meta
    x = torch.randn(2, 7, SMALL.d_model)
    torch.testing.assert_close(
        model.blocks[0](x, model.get_causal_mask(7)), model.blocks[0](x, is_causal=True), rtol=1e-4, atol=1e-5
    )


# The loss


def test_labels_are_shifted_inside_and_ignored_where_minus_100() -> None:
    model, ids = built(seed=1), some_ids(SMALL, 3, 6)
    labels = some_ids(SMALL, 3, 6)
    labels[0, 2] = labels[1, 1:] = -100
    logits, loss = model(ids.int(), labels)
    scored = [(b, t) for b in range(3) for t in range(5) if labels[b, t + 1] != -100]
    by_hand = [-logits[b, t].log_softmax(-1)[labels[b, t + 1]] for b, t in scored]
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())
    torch.testing.assert_close(loss, F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()))
    assert (loss - F.cross_entropy(logits.flatten(0, 1), labels.flatten())).abs() > 1e-2


def test_loss_follows_the_convention_of_transformers() -> None:
    from transformers.loss.loss_utils import ForCausalLMLoss

    model, ids = built(), some_ids(SMALL)
    labels = ids.clone()
    labels[0, 3] = -100
    logits, loss = model(ids, labels)
    torch.testing.assert_close(loss, ForCausalLMLoss(logits, labels, SMALL.vocab_size))


def test_loss_without_a_scored_label_is_nan() -> None:
    model, ids = built(), some_ids(SMALL)
    assert model(ids, torch.full_like(ids, -100))[1].isnan()
    assert model(ids[:, :1], ids[:, :1])[1].isnan()


def test_fresh_default_model_knows_nothing() -> None:
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig()).eval()
    ids = some_ids(model.architecture, 2, 64)
    with torch.inference_mode():
        assert model(ids, ids)[1].item() == pytest.approx(math.log(16_000), abs=0.2)


def test_training_learns_a_repeated_sequence() -> None:
    torch.manual_seed(0)
    model = LanguageModel(SMALL)
    ids = torch.arange(16).remainder(4).repeat(4, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model(ids, ids)[1].backward()
        optimizer.step()
    assert model(ids, ids)[1] < 0.5 * math.log(40)


# What a caller can get wrong

WRONG_CALLS: list[tuple[Tensor, Tensor | None, str]] = [
    (torch.zeros(4, dtype=torch.long), None, r"input_ids of shape \(4,\) must be a non-empty \(batch, tokens\) tensor"),
    (torch.zeros(2, 0, dtype=torch.long), None, r"input_ids of shape \(2, 0\) must be a non-empty"),
    (torch.zeros(0, 2, dtype=torch.long), None, r"input_ids of shape \(0, 2\) must be a non-empty"),
    (torch.zeros(1, 17, dtype=torch.long), None, r"sequence of 17 tokens is longer than max_seq_length=16; shorten it"),
    (torch.tensor([[0, -1]]), None, r"input_ids hold -1, which is outside .* ids go from 0 to vocab_size−1=39"),
    (torch.tensor([[40, 0]]), None, r"input_ids hold 40, which is outside the vocabulary"),
    (torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long), r"shape \(1, 2\) must have .* \(1, 3\)"),
    (torch.zeros(1, 3, dtype=torch.long), torch.tensor([[0, 40, 0]]), r"labels hold 40, which is outside"),
    (torch.zeros(1, 3, dtype=torch.long), torch.tensor([[0, -1, 0]]), r"labels hold -1, which is outside"),
    (torch.zeros(1, 3, dtype=torch.long), torch.tensor([[-100, -101, 0]]), r"labels hold -101, which is outside"),
]


@pytest.mark.parametrize(("ids", "labels", "message"), WRONG_CALLS)
def test_wrong_calls_say_what_is_wrong(ids: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built()(ids, labels)


class OnCuda(Tensor):
    """A tensor in the CPU's memory that says it is on a CUDA device."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = set[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


def operations(ids: Tensor) -> set[str]:
    model = built(replace(SMALL, positions="none"))
    with Operations() as run, torch.no_grad():
        model(ids, ids)
    names: set[str] = run.names
    return names


def test_checking_ids_on_cuda_does_not_wait_for_the_device() -> None:
    ids = torch.zeros(1, 3, dtype=torch.long)
    names = operations(ids.as_subclass(OnCuda))
    assert "aten::_local_scalar_dense" not in names
    assert "aten::_assert_async.msg" in names
    assert "aten::_local_scalar_dense" in operations(ids)  # which reads a value: what a device would be waited for


@pytest.mark.parametrize("wrong", [-1, 40])
def test_ids_outside_the_vocabulary_are_an_assertion_on_cuda(wrong: int) -> None:
    rule = r"^input_ids hold a token that is outside the vocabulary: ids go from 0 to vocab_size−1=39$"
    with pytest.raises(RuntimeError, match=rule):
        operations(torch.tensor([[0, wrong]]).as_subclass(OnCuda))


def test_a_causal_mask_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^seq_length=0 is not allowed: it must be a whole number of at least 1"):
        built().get_causal_mask(0)


def test_building_reports_each_block_and_exceptions_cancel_it() -> None:
    calls: list[tuple[float, str]] = []
    LanguageModel(SMALL, progress=lambda *call: calls.append(call))
    assert calls == [(0.5, "building the modules"), (1.0, "building the modules")]

    def stop(_: float, activity: str) -> None:
        calls.append((-1.0, activity))
        raise InterruptedError(activity)

    with pytest.raises(InterruptedError, match="building the modules"):
        LanguageModel(SMALL, device="meta", progress=stop)
    assert len(calls) == 3


def test_the_longest_sequence_and_the_last_id_are_allowed() -> None:
    assert built()(torch.full((1, 16), 39), torch.full((1, 16), 39))[1].isfinite()


def test_impossible_requests_pass_their_error_through() -> None:
    with pytest.raises(BudgetError, match=r"total_params=10,000 clashes with vocab_size=16000"):
        LanguageModel(ModelConfig(total_params=10_000))


# The tied head

JOURNEYS: dict[str, Callable[[LanguageModel], LanguageModel]] = {
    "as built": lambda model: model,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "dtype": lambda model: model.to(torch.bfloat16),
    "meta and back": lambda model: model.to("meta").to_empty(device="cpu"),
    "load": lambda model: loaded(built(SMALL, 1), model),
    "assign to meta": lambda model: loaded(LanguageModel(SMALL, device="meta"), model, assign=True),
    "assign": lambda model: loaded(built(SMALL, 1), model, assign=True),
}


def loaded(target: LanguageModel, source: LanguageModel, **options: bool) -> LanguageModel:
    """Carry the weights over in a file."""
    file = io.BytesIO()
    torch.save(source.state_dict(), file)
    file.seek(0)
    target.load_state_dict(torch.load(file, weights_only=True), **options)
    return target


@pytest.mark.parametrize("journey", JOURNEYS)
def test_the_tied_head_stays_one_parameter(journey: str) -> None:
    source = built()
    weights = copy.deepcopy(source.state_dict())
    model = JOURNEYS[journey](source)
    shared = model.token_embedding.weight
    assert model.lm_head.weight is shared
    assert shared.requires_grad
    assert "lm_head.weight" not in dict(model.named_parameters())
    assert {"token_embedding.weight", "lm_head.weight"} <= model.state_dict().keys()
    assert model.state_dict().keys() == weights.keys()
    if journey != "meta and back":  # which leaves the values undefined
        for name, weight in model.state_dict().items():
            torch.testing.assert_close(weight, weights[name].to(weight.dtype), rtol=0, atol=0)


def test_a_step_moves_both_ends_of_the_tied_table() -> None:
    model, ids = built(), torch.tensor([[0, 1, 2]])
    before = model.lm_head.weight.detach().clone()
    model(ids, ids)[1].backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert (model.lm_head.weight != before).all(1).all()  # the embedding alone would move the rows 0 and 1
    torch.testing.assert_close(model.token_embedding.weight, model.lm_head.weight, rtol=0, atol=0)


def test_an_untied_head_is_a_table_of_its_own() -> None:
    model, ids = built(UNTIED), torch.tensor([[0, 1, 2]])
    assert model.lm_head.weight.data_ptr() != model.token_embedding.weight.data_ptr()
    assert "lm_head.weight" in dict(model.named_parameters())
    model(ids, ids)[1].backward()
    embedding, head = model.token_embedding.weight.grad, model.lm_head.weight.grad
    assert embedding is not None
    assert head is not None
    assert embedding.any(1).nonzero().flatten().tolist() == [0, 1]
    assert head.any(1).all()
