"""Training with hooks is bitwise the same as without them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from slimlm.evaluation.hooks import Hook, as_hook
from slimlm.evaluation.score import Score
from slimlm.evaluation.suites import SuiteData, suite_hooks
from slimlm.evaluation.undisturbed import undisturbed
from slimlm.model.language_model import LanguageModel
from tests.evaluation.test_pairs import PARADIGMS, lines
from tests.evaluation.test_suites import token_data
from tests.evaluation.toys import model_of, tokenizer, write_lines
from tests.native import SMALL_LLAMA


def trained(hooks: Mapping[str, Hook]) -> tuple[dict[str, Tensor], list[float], Tensor]:
    """Train with dropout for a few steps, with hooks between them; return weights, losses and the generator."""
    data = token_data()
    model = model_of(replace(SMALL_LLAMA, dropout=0.2)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    torch.manual_seed(1)
    losses = []
    for step in range(4):
        ids = torch.from_numpy(data.batch(0, step, 4, 16))
        loss = model(ids, ids)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        for hook in hooks.values():
            hook(model)
    return {name: weight.detach() for name, weight in model.named_parameters()}, losses, torch.get_rng_state()


def test_training_with_hooks_is_bitwise_the_same(tmp_path: Path) -> None:
    def own(model: LanguageModel) -> dict[str, float]:
        with undisturbed(model):
            return {"noise": float(torch.rand(()))}

    write_lines(tmp_path / "blimp" / "x.jsonl", lines([*PARADIGMS["second"]]))
    data = SuiteData(tokenizer(), tmp_path, token_data(), length=16, share=0.3)
    same(trained({}), trained(suite_hooks(["bpb", "blimp"], data) | {"own": own}))


def same(
    one: tuple[dict[str, Tensor], list[float], Tensor], other: tuple[dict[str, Tensor], list[float], Tensor]
) -> None:
    assert one[1] == other[1]
    assert all(torch.equal(weight, other[0][name]) for name, weight in one[0].items())
    assert torch.equal(one[2], other[2])


def drawing(_: LanguageModel) -> dict[str, float]:
    return {"noise": float(torch.rand(()))}


def leaving_evaluation_mode(model: LanguageModel) -> dict[str, float]:
    model.eval()
    return {}


@pytest.mark.parametrize("hook", [drawing, leaving_evaluation_mode])
def test_the_comparison_notices_a_hook_that_disturbs(hook: Hook) -> None:
    with pytest.raises(AssertionError):
        same(trained({}), trained({"own": hook}))


def test_a_figure_without_a_standard_error_is_one_number() -> None:
    hook = as_hook(lambda _: {"a": Score(0.5, None, 1), "b": Score(0.25, 0.1, 9)})
    assert hook(model_of()) == {"a": 0.5, "b": 0.25, "b_stderr": 0.1}
