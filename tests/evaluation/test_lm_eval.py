"""lm_eval is the judge: the same accuracy item by item, and the same bits per byte."""

import json
import math
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean_stderr
from lm_eval.api.model import LM, TemplateLM
from lm_eval.tasks import TaskManager
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from slimlm.data.hf_tokenizer import export_tokenizer
from slimlm.evaluation import continuations
from slimlm.evaluation.bits import heldout_loss
from slimlm.evaluation.cloze import read_cloze, score_cloze
from slimlm.evaluation.lm_eval import lm_eval_model
from slimlm.evaluation.pairs import read_pairs, score_pairs
from slimlm.evaluation.sample import sample
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import export_pretrained
from slimlm.utils import optional
from tests.evaluation.test_bits import leaking, unshifted
from tests.evaluation.test_cloze import CHOICES, OPEN
from tests.evaluation.test_pairs import PAIRS, lines
from tests.evaluation.toys import SENTENCES, model_of, tokenizer, write_lines
from tests.native import SMALL_LLAMA

ACCURACY = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}

TASKS: dict[str, dict[str, Any]] = {
    "slimlm_pairs": {
        "output_type": "multiple_choice",
        "doc_to_text": "",
        "doc_to_target": 0,
        "doc_to_choice": "{{[sentence_good, sentence_bad]}}",
        "metric_list": [ACCURACY],
    },
    "slimlm_choices": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{query}}\nAnswer:",
        "doc_to_target": "{{gold}}",
        "doc_to_choice": "{{choices}}",
        "metric_list": [ACCURACY],
    },
    "slimlm_open": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{context}}",
        "doc_to_target": "{{' ' + continuation}}",
        "metric_list": [{"metric": "perplexity", "aggregation": "perplexity"}, ACCURACY],
    },
    "slimlm_text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte", "aggregation": "bits_per_byte"}],
    },
}
"""Tasks as lm_eval's own: pairs as its BLiMP, an open question as its LAMBADA, a text as its WikiText."""


TEXT = tokenizer().decode(tokenizer().encode(" ".join(SENTENCES))[: 3 * 48])
"""Three whole windows: lm_eval gives a shorter last one more context."""

ITEMS: dict[str, list[dict[str, Any]]] = {
    "slimlm_pairs": lines(PAIRS),
    "slimlm_choices": CHOICES,
    "slimlm_open": OPEN,
    "slimlm_text": [{"text": TEXT}],
}


def write_task(folder: Path, name: str, items: list[dict[str, Any]]) -> Path:
    """Write the data and the description of a task; return the file of the data."""
    file = write_lines(folder / f"{name}.jsonl", items)
    data = {"data_files": {"test": str(file)}, "cache_dir": str(folder / "cache")}
    task = {"task": name, "dataset_path": "json", "dataset_kwargs": data, "test_split": "test"} | TASKS[name]
    (folder / f"{name}.yaml").write_text(json.dumps(task))  # JSON is YAML
    return file


class TransformersLM(TemplateLM):  # type: ignore[misc]  # lm_eval has no types
    """An exported model with its tokenizer as transformers runs them, one sequence at a time: no code of slimlm."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)

    @property
    def eot_token_id(self) -> int:
        return int(self._tokenizer.bos_token_id)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        ids: list[int] = self._tokenizer(string).input_ids
        return ids

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
        return [self._score(context, target) for _, context, target in requests]

    def _score(self, context: list[int], target: list[int]) -> tuple[float, bool]:
        first = [] if context[0] == self.eot_token_id else [self.eot_token_id]
        ids = torch.tensor([[*first, *context, *target]])
        with torch.no_grad():
            found = self._model(ids[:, :-1]).logits[0, -len(target) :].log_softmax(-1)
        answer = torch.tensor(target)
        return float(found.gather(1, answer[:, None]).sum()), bool((found.argmax(-1) == answer).all())

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        length, totals = self._model.config.max_position_embeddings, []
        for (text,) in (request.args for request in requests):
            ids, first, total = self.tok_encode(text), self.eot_token_id, 0.0
            for start in range(0, len(ids), length):
                context = [first] if start == 0 else [ids[start - 1]]
                with torch.no_grad():
                    inputs = torch.tensor([[*context, *ids[start : start + length - 1]]])
                    found = self._model(inputs).logits[0].log_softmax(-1)
                total += float(found.gather(1, torch.tensor(ids[start : start + length])[:, None]).sum())
            totals.append(total)
        return totals

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        raise NotImplementedError


def transformers_lm(model: LanguageModel, folder: Path) -> LM:
    return TransformersLM(export_tokenizer(tokenizer(), export_pretrained(model, folder / "exported")))


class Judgement:
    """What lm_eval says of a model on all tasks."""

    def __init__(self, model: LanguageModel, lm: LM, folder: Path) -> None:
        self.model = model
        self.files = {name: write_task(folder, name, items) for name, items in ITEMS.items()}
        found = simple_evaluate(
            lm,
            tasks=[*TASKS],
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            bootstrap_iters=0,
            log_samples=True,
        )
        self.results: dict[str, dict[str, Any]] = found["results"]
        self._samples = found["samples"]

    def samples(self, name: str) -> list[dict[str, Any]]:
        """Return the samples of a task in the order of its file."""
        return sorted(self._samples[name], key=lambda sample: int(sample["doc_id"]))


@pytest.fixture(scope="module", params=["transformers", "the adapter"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """Judge a Llama as transformers runs it, and through the adapter an architecture that transformers lacks."""
    folder = tmp_path_factory.mktemp("tasks")
    if request.param == "transformers":
        return Judgement(model_of(), TransformersLM(exported(model_of(), folder)), folder)
    model = model_of(replace(SMALL_LLAMA, positions="alibi"))
    return Judgement(model, lm_eval_model(model, tokenizer()), folder)


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """Refuse connections: local tasks need none."""

    def refuse(_: socket.socket, address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


def exported(model: LanguageModel, folder: Path) -> Path:
    return export_tokenizer(tokenizer(), export_pretrained(model, folder / "exported"))


def test_pairs_are_judged_alike_one_by_one(judge: Judgement) -> None:
    scores = score_pairs(judge.model, tokenizer(), read_pairs(judge.files["slimlm_pairs"]))
    theirs = [sample["acc"] for sample in judge.samples("slimlm_pairs")]
    assert scores.credits["slimlm_pairs"] == tuple(theirs)
    assert scores.mean.value == pytest.approx(judge.results["slimlm_pairs"]["acc,none"])
    assert scores.mean.standard_error == pytest.approx(mean_stderr(theirs))


def test_choices_are_judged_alike_one_by_one(judge: Judgement) -> None:
    check_choices(judge)


def check_choices(judge: Judgement) -> None:
    samples = judge.samples("slimlm_choices")
    scores = score_cloze(judge.model, tokenizer(), read_cloze(judge.files["slimlm_choices"], "\nAnswer: "))
    assert scores.credits == tuple(sample["acc"] for sample in samples)
    theirs = [-float(answer[0]) for sample in samples for answer in sample["filtered_resps"]]
    assert [nats for item in scores.nats for nats in item] == pytest.approx(theirs, rel=1e-5)


def test_open_questions_are_judged_alike(judge: Judgement) -> None:
    scores = score_cloze(judge.model, tokenizer(), read_cloze(judge.files["slimlm_open"]))
    assert scores.credits == tuple(sample["acc"] for sample in judge.samples("slimlm_open"))
    mean = float(np.mean([nats for (nats,) in scores.nats]))
    assert math.exp(mean) == pytest.approx(judge.results["slimlm_open"]["perplexity,none"], rel=1e-5)


def test_bits_per_byte_of_a_text_are_those_of_lm_eval(judge: Judgement) -> None:
    check_bits(judge, tokenizer().lengths)


def check_bits(judge: Judgement, lengths: NDArray[np.int64]) -> None:
    ids = np.array([tokenizer().bos_id, *tokenizer().encode(TEXT)], np.uint16)
    found = heldout_loss(judge.model, ids, lengths, length=judge.model.architecture.max_seq_length)
    assert found.bits_per_unit == pytest.approx(judge.results["slimlm_text"]["bits_per_byte,none"], abs=1e-6)
    assert found.units == len(TEXT.encode())


def test_generation_is_greedy_up_to_a_stop_text() -> None:
    def ask(settings: dict[str, Any]) -> str:
        request = Instance("generate_until", doc={}, arguments=("The cat", settings), idx=0)
        answers: list[str] = lm_eval_model(model, tokenizer()).generate_until([request])
        return answers[0]

    model = model_of()
    whole = ask({"max_gen_toks": 12, "until": []})
    assert "The cat" + whole == sample(model, tokenizer(), "The cat", tokens=12, temperature=0)
    stop = whole[5:7]
    assert ask({"max_gen_toks": 12, "until": ["nowhere", stop]}) == whole.split(stop)[0]
    with pytest.raises(ValueError, match=r"^do_sample=True is not allowed: slimlm generates greedily for lm_eval"):
        ask({"do_sample": True})


def test_without_lm_eval_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "_failure", lambda _: "is not installed")
    message = r"^evaluation by lm_eval needs lm_eval, which is not installed; `pip install lm_eval` would work$"
    with pytest.raises(optional.PackageError, match=message):
        lm_eval_model(model_of(), tokenizer())


# Planted faults


@pytest.mark.parametrize("judge", ["transformers"], indirect=True)
@pytest.mark.parametrize("fault", [unshifted, leaking])
def test_the_judge_notices_a_planted_fault(fault: Any, judge: Judgement, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuations, "token_scores", lambda *given: (fault(*given), torch.ones(99, 99) > 0))
    with pytest.raises(AssertionError):
        check_choices(judge)


@pytest.mark.parametrize("judge", ["transformers"], indirect=True)
def test_the_judge_notices_bytes_of_decoded_tokens(judge: Judgement) -> None:
    """A token that holds a part of a character decodes to a replacement character of three bytes."""
    known = tokenizer()
    decoded = [len(known.decode([token]).encode()) for token in range(known.vocab_size)]
    with pytest.raises(AssertionError):
        check_bits(judge, np.array(decoded, dtype=np.int64))
