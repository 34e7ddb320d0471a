"""lm_eval is the judge: the same accuracy item by item, and the same bits per byte."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimlm.core.architecture import Architecture
from slimlm.evaluation.bits import heldout_loss
from slimlm.evaluation.cloze import read_cloze, score_cloze
from slimlm.evaluation.lm_eval import lm_eval_model
from slimlm.evaluation.pairs import Pair, read_pairs, score_pairs
from slimlm.evaluation.sample import sample
from slimlm.model.language_model import LanguageModel
from slimlm.utils import optional
from tests.evaluation.test_cloze import CHOICES, OPEN
from tests.evaluation.test_pairs import PAIRS, lines
from tests.evaluation.toys import ARCHITECTURES, SENTENCES, model_of, tokenizer, write_lines

TASKS: dict[str, dict[str, Any]] = {
    "slimlm_pairs": {
        "output_type": "multiple_choice",
        "doc_to_text": "",
        "doc_to_target": 0,
        "doc_to_choice": "{{[sentence_good, sentence_bad]}}",
        "metric_list": [{"metric": "acc"}],
    },
    "slimlm_choices": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{query}}\nAnswer:",
        "doc_to_target": "{{gold}}",
        "doc_to_choice": "{{choices}}",
        "metric_list": [{"metric": "acc"}],
    },
    "slimlm_open": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{context}}",
        "doc_to_target": "{{' ' + continuation}}",
        "metric_list": [{"metric": "perplexity", "aggregation": "perplexity"}, {"metric": "acc"}],
    },
    "slimlm_text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte", "aggregation": "bits_per_byte"}],
    },
}
"""Tasks as lm_eval's own: pairs as its BLiMP, an open question as its LAMBADA, a text as its WikiText."""


def write_task(folder: Path, name: str, items: list[dict[str, Any]]) -> Path:
    """Write the data and the description of a task; return the file of the data."""
    file = write_lines(folder / f"{name}.jsonl", items)
    data = {"data_files": {"test": str(file)}, "cache_dir": str(folder / "cache")}
    task = {"task": name, "dataset_path": "json", "dataset_kwargs": data, "test_split": "test"} | TASKS[name]
    (folder / f"{name}.yaml").write_text(json.dumps(task))  # JSON is YAML
    return file


def judged(model: LanguageModel, name: str, folder: Path) -> dict[str, Any]:
    """Return the results of lm_eval and its samples in the order of the file."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = simple_evaluate(
        lm_eval_model(model, tokenizer()), tasks=[name], task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    samples = sorted(found["samples"][name], key=lambda sample: int(sample["doc_id"]))
    return {"results": found["results"][name], "samples": samples}


@pytest.mark.parametrize("base", ARCHITECTURES)
def test_pairs_are_judged_alike_one_by_one(base: Architecture, tmp_path: Path) -> None:
    model, file = model_of(base), write_task(tmp_path, "slimlm_pairs", lines(PAIRS))
    found = judged(model, "slimlm_pairs", tmp_path)
    scores = score_pairs(model, tokenizer(), read_pairs(file))
    assert scores.credits["slimlm_pairs"] == tuple(sample["acc"] for sample in found["samples"])
    assert scores.mean.value == pytest.approx(found["results"]["acc,none"])
    assert scores.mean.standard_error == pytest.approx(found["results"]["acc_stderr,none"])


def test_choices_are_judged_alike_one_by_one(tmp_path: Path) -> None:
    model, file = model_of(), write_task(tmp_path, "slimlm_choices", CHOICES)
    found = judged(model, "slimlm_choices", tmp_path)
    scores = score_cloze(model, tokenizer(), read_cloze(file, "\nAnswer: "))
    assert scores.credits == tuple(sample["acc"] for sample in found["samples"])
    theirs = [-float(answer[0]) for sample in found["samples"] for answer in sample["filtered_resps"]]
    assert [nats for item in scores.nats for nats in item] == pytest.approx(theirs)


def test_open_questions_are_judged_alike(tmp_path: Path) -> None:
    model, file = model_of(), write_task(tmp_path, "slimlm_open", OPEN)
    found = judged(model, "slimlm_open", tmp_path)
    scores = score_cloze(model, tokenizer(), read_cloze(file))
    assert scores.credits == tuple(sample["acc"] for sample in found["samples"])
    mean = float(np.mean([nats for (nats,) in scores.nats]))
    assert math.exp(mean) == pytest.approx(found["results"]["perplexity,none"])


def test_bits_per_byte_of_a_text_are_those_of_lm_eval(tmp_path: Path) -> None:
    model, known = model_of(), tokenizer()
    length = model.architecture.max_seq_length
    ids = known.encode(" ".join(SENTENCES))[: 3 * length]  # lm_eval gives a shorter last window more context
    text = known.decode(ids)
    assert known.encode(text) == ids
    write_task(tmp_path, "slimlm_text", [{"text": text}])
    found = judged(model, "slimlm_text", tmp_path)
    ours = heldout_loss(model, np.array([known.bos_id, *ids], np.uint16), known.lengths, length=length)
    assert ours.units == len(text.encode())
    assert ours.bits_per_unit == pytest.approx(found["results"]["bits_per_byte,none"], abs=1e-6)


def test_generation_is_greedy_up_to_a_stop_text() -> None:
    from lm_eval.api.instance import Instance

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


def test_the_judge_notices_a_space_that_is_left_out(tmp_path: Path) -> None:
    model = model_of()
    write_task(tmp_path, "slimlm_pairs", lines(PAIRS))
    bare = [Pair(pair.good.strip()[1:], pair.bad.strip()[1:]) for pair in PAIRS]
    found = judged(model, "slimlm_pairs", tmp_path)
    scores = score_pairs(model, tokenizer(), {"bare": bare})
    assert scores.credits["bare"] != tuple(sample["acc"] for sample in found["samples"])
