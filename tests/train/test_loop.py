"""Whole runs: the entropy that they reach, determinism, hooks that leave no trace, divergence, and refusals."""

import json
import math
import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from slimlm.core.accounting import count_total
from slimlm.core.config import ModelConfig
from slimlm.data.synthetic import known_entropy
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import from_pretrained
from slimlm.runs.lock import sole_writer
from slimlm.runs.recipe import TrainRecipe
from slimlm.train import RunResult, train
from tests.train.sources import LENGTH, chain_data, recipe, tiny


def weights(result: RunResult) -> dict[str, Tensor]:
    assert result.model is not None
    return {name: weight.detach() for name, weight in result.model.named_parameters()}


def same(one: RunResult, other: RunResult) -> bool:
    pairs = zip(weights(one).values(), weights(other).values(), strict=True)
    return one.metrics == other.metrics and all(torch.equal(a, b) for a, b in pairs)


def test_a_run_reaches_the_entropy_of_its_source_within_a_fiftieth_of_a_bit() -> None:
    data = known_entropy(64, train_tokens=400_000, heldout_tokens=20_000)
    wanted = TrainRecipe(
        tokens=320_000, batch_tokens=512, learning_rate=1e-2, dropout=0.0, log_every=200, evaluate_tokens=2000
    )
    found = train(tiny(d_model=32, d_ff=64, n_layers=1, max_seq_length=32), wanted, data)
    assert data.entropy is not None
    assert not found.failed_checks
    gap = found.evaluation["validation.nats_per_token"] - data.entropy
    assert -0.02 < gap / math.log(2) < 0.02
    assert found.evaluation["validation.bits_per_symbol"] == pytest.approx((gap + data.entropy) / math.log(2))


def test_the_same_run_twice_is_the_same_bit_for_bit_and_another_seed_is_not() -> None:
    once, twice, other = (train(tiny(), recipe(seed=seed), chain_data()) for seed in (0, 0, 1))
    assert same(once, twice)
    assert not same(once, other)


def noisy_hook(model: LanguageModel) -> Mapping[str, float]:
    """Use every random number generator and change the mode, as a careless hook would."""
    assert not model.training
    assert not torch.is_grad_enabled()
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    model.train()
    return {"chance": float(torch.rand(())), "size": sum(weight.numel() for weight in model.parameters())}


def test_hooks_and_evaluations_leave_no_trace_in_training() -> None:
    often = recipe(evaluate_every=2 * 8 * LENGTH, log_every=1)
    seldom = recipe(evaluate_every=100 * 8 * LENGTH, log_every=1)
    with_hooks = train(tiny(), often, chain_data(), hooks={"noisy": noisy_hook})
    without = train(tiny(), seldom, chain_data(heldout=0))
    assert with_hooks.evaluation["noisy.size"] == count_total(tiny())
    assert sum("evaluation" in row for row in with_hooks.metrics) == 10
    plain = [{name: value for name, value in row.items() if name != "evaluation"} for row in with_hooks.metrics]
    assert plain == [{name: value for name, value in row.items() if name != "evaluation"} for row in without.metrics]
    pairs = zip(weights(with_hooks).values(), weights(without).values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_run_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train(tiny(), recipe(tokens=256), chain_data())
    assert torch.equal(torch.rand(4), expected)


def test_metrics_hold_what_happened_at_each_step(tmp_path: Path) -> None:
    found = train(tiny(), recipe(), chain_data(), tmp_path)
    assert [row["step"] for row in found.metrics] == [1, 2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18, 20]
    assert [row["tokens"] for row in found.metrics] == [128 * row["step"] for row in found.metrics]
    rates = {row["step"]: row["learning_rate"] for row in found.metrics}
    assert rates[1] == pytest.approx(4e-3 / 3)
    assert rates[10] == 4e-3
    assert rates[20] == pytest.approx(4e-3 / 5)
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert written == found.metrics
    assert found.loss == found.metrics[-1]["loss"]
    assert all(row["seconds"] > 0 and row["tokens_per_second"] > 0 and row["mfu"] > 0 for row in found.speed)
    assert all(row["peak_memory_bytes"] > 1e7 for row in found.speed)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["recipe"]["tokens"] == 2560
    assert record["data"]["digest"] == chain_data().digest
    assert record["plan"]["steps"] == 20
    assert record["setting"] == {"device": "cpu", "precision": "float32", "processes": 1}


def test_the_best_weights_are_kept_beside_the_last(tmp_path: Path) -> None:
    found = train(tiny(), recipe(learning_rate=0.05, schedule="cosine"), chain_data(), tmp_path)
    best = json.loads((tmp_path / "best" / "best.json").read_text())
    by_step = {
        row["step"]: row["evaluation"]["validation.nats_per_token"] for row in found.metrics if "evaluation" in row
    }
    assert best["nats_per_token"] == min(by_step.values()) == by_step[best["step"]]
    from_pretrained(tmp_path / "best")


def test_evaluations_in_the_metrics_are_of_the_same_tokens_and_the_result_is_of_all() -> None:
    found = train(tiny(), recipe(evaluate_tokens=50), chain_data())
    whole = train(tiny(), recipe(), chain_data())
    assert found.evaluation == whole.evaluation == whole.metrics[-1]["evaluation"]
    data = chain_data()
    short = replace(data, heldout={"validation": data.heldout["validation"][:50]})
    assert [row.get("evaluation") for row in found.metrics] == [
        row.get("evaluation") for row in train(tiny(), recipe(), short).metrics
    ]


def test_a_request_is_solved_and_kept_with_the_run(tmp_path: Path) -> None:
    request = ModelConfig(total_params=20_000, vocab_size=64, n_heads=2, max_seq_length=LENGTH, embedding_ratio=0.2)
    train(request, recipe(tokens=256), chain_data(), tmp_path)
    assert from_pretrained(tmp_path).config == request


class Failing(NamedTuple):
    """A loss that is not finite from one step on."""

    step: int
    calls: list[int]

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        self.calls.append(1)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return loss * float("nan") if len(self.calls) >= self.step else loss


def test_a_loss_of_nan_ends_the_run_and_is_its_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("slimlm.train.step.token_loss", Failing(7, []))
    found = train(tiny(), recipe(), chain_data(), tmp_path)
    assert (found.status, found.step, found.loss, found.model) == ("diverged", 7, None, None)
    assert found.metrics[-1]["diverged_at"] == 7
    assert found.metrics[-1]["step"] == 8
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["step"], result["loss"]) == ("diverged", 7, None)
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["loss"] is None
    again = train(tiny(), recipe(), chain_data(), tmp_path, resume=True)
    assert (again.status, again.step, again.model) == ("diverged", 7, None)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_run_that_ends_far_above_guessing_has_diverged() -> None:
    found = train(tiny(), recipe(learning_rate=1.0, clip=1e6), chain_data())
    assert found.status == "diverged"
    assert found.step == 20


def test_progress_names_the_step_and_the_loss() -> None:
    told: list[tuple[float, str]] = []
    train(tiny(), recipe(), chain_data(), progress=lambda fraction, text: told.append((fraction, text)))
    assert told[0] == (0.05, "training: step 1 of 20, loss " + told[0][1][-5:])
    assert told[-1][0] == 1
    assert told[-1][1].startswith("training: step 20 of 20, loss ")


def test_evaluations_give_signs_of_life_before_and_after_the_last_step() -> None:
    """A worker that gives none for long is taken for one that hangs: whole held-out splits may take as long."""
    told: list[tuple[float, str]] = []
    train(
        tiny(),
        recipe(tokens=512, evaluate_tokens=40),
        chain_data(),
        progress=lambda fraction, text: told.append((fraction, text)),
    )
    shares = [fraction for fraction, text in told if text.startswith("evaluating")]
    assert shares[0] < 1
    assert (shares[-1], told[-1][1]) == (0.999, "evaluating")
    assert [text for fraction, text in told if fraction == 1] == [told[-2][1]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    train(tiny(), recipe(tokens=256), chain_data(), folder)
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"holds this run already; resuming it or another folder would work$"),
        ({"seed": 5}, r"holds another run: recipe\.seed=0 is now 5; another folder would work$"),
        ({"tokens": 512}, r"holds another run: recipe\.tokens=256 is now 512;"),
    ],
)
def test_a_folder_with_a_run_is_refused(finished: Path, changes: dict[str, Any], message: str) -> None:
    for resume in (False, True) if changes else (False,):
        with pytest.raises(ValueError, match=message):
            train(tiny(), recipe(**{"tokens": 256, **changes}), chain_data(), finished, resume=resume)


def test_a_folder_with_a_run_of_other_data_or_another_model_is_refused(finished: Path) -> None:
    with pytest.raises(ValueError, match=r"holds another run: data\.digest="):
        other = replace(chain_data(), digest="other")
        train(tiny(), recipe(tokens=256), other, finished, resume=True)
    with pytest.raises(ValueError, match=r"holds another run: architecture\.d_ff=32 is now 48;"):
        train(tiny(d_ff=48), recipe(tokens=256), chain_data(), finished, resume=True)


def test_a_folder_with_another_model_is_refused(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "slimlm.json", tmp_path)
    with pytest.raises(ValueError, match=r"holds slimlm\.json but no run\.json; an empty folder would work$"):
        train(tiny(), recipe(), chain_data(), tmp_path)


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"cannot be created: (File exists|Not a directory); another would work$"):
        train(tiny(), recipe(), chain_data(), tmp_path / "file")


def test_too_little_disk_or_memory_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlm.train.loop.free_bytes", lambda device: 1000)
    with pytest.raises(
        ValueError, match=r"^the run needs at least .* of memory, but 1,?\.?0*.*B are free; a lower micro"
    ):
        train(tiny(), recipe(), chain_data(), tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(
        ValueError, match=r"^the run needs .* on disk, but .*B are free; another folder or a lower keep"
    ):
        train(tiny(), recipe(), chain_data(), tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_a_folder_in_which_another_process_trains_is_refused(tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(ValueError, match=r"is in use: another process trains there"):
        train(tiny(), recipe(), chain_data(), tmp_path)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^device='cuda:99' is not on this machine"):
        train(tiny(), recipe(), chain_data(), device="cuda:99")
