"""Test sets by name: what `--suite bpb,blimp` means, and which files of a folder each part needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slimlm.data.token_data import TokenData
from slimlm.evaluation.cloze import ClozeItem, read_cloze, score_cloze
from slimlm.evaluation.continuations import TextEncoder
from slimlm.evaluation.hooks import Evaluation, Hook, as_hook, bits_per_byte_evaluation
from slimlm.evaluation.jsonl import sample_items
from slimlm.evaluation.pairs import Paradigms, read_pairs, sample_pairs, score_pairs
from slimlm.evaluation.score import Score
from slimlm.model.language_model import LanguageModel
from slimlm.utils.validation import check_option

SMALLBENCH, BITS_PER_BYTE, BLIMP = "smallbench", "bpb", "blimp"

SMALLBENCH_NOTE = (
    "SmallBench is no published suite: the name comes from a script of the stellux project for SST-2, RTE, BoolQ and "
    "MRPC, at which models of 10M parameters guess. Here it means every part that the folder holds."
)

_ANSWER = "\nAnswer: "
"""Between question and answer in the tasks that llm-foundry asks as questions."""

CLOZE_TASKS: Mapping[str, tuple[str, str]] = {
    "lambada": ("lambada_openai.jsonl", " "),
    "arc_easy": ("arc_easy.jsonl", _ANSWER),
    "piqa": ("piqa.jsonl", _ANSWER),
    "copa": ("copa.jsonl", " "),
    "boolq": ("boolq.jsonl", _ANSWER),
    "winogrande": ("winogrande.jsonl", " "),
}
"""Task → its file, and the text between context and answer."""

_FILES = {BLIMP: "blimp/*.jsonl"} | {task: f"cloze/{file}" for task, (file, _) in CLOZE_TASKS.items()}

SUITES = (BITS_PER_BYTE, BLIMP, *CLOZE_TASKS, SMALLBENCH)


@dataclass(frozen=True)
class SuiteData:
    """What suites are made of; a part may be missing when no suite needs it."""

    tokenizer: TextEncoder | None = None
    """The tokenizer that the model was trained with."""
    folder: Path | None = None
    """Holds blimp/*.jsonl, and the files of cloze tasks in cloze/ or beside it."""
    heldout: TokenData | None = None
    length: int = 512
    """Tokens of a held-out window."""
    share: float = 1.0
    """Share of the pairs and cloze items that is scored; 0.1 for curves."""
    seed: int = 0
    """Which of them are scored."""


def suite_evaluations(names: Sequence[str], data: SuiteData) -> dict[str, Evaluation]:
    """Return an evaluation for every suite, by name; files are read now, so that what is missing shows before training.

    Raises ValueError, in one sentence, for an unknown suite, for a part that is not given, and for a file or a line
    that cannot be read.
    """
    found: dict[str, Evaluation] = {}
    for name in names:
        check_option("suite", name, SUITES)
        for part in _parts_of_smallbench(data) if name == SMALLBENCH else [name]:
            found[part] = _evaluation(part, data)
    return found


def suite_hooks(names: Sequence[str], data: SuiteData) -> dict[str, Hook]:
    """Return a hook for every suite, for training; see `suite_evaluations`."""
    return {name: as_hook(evaluation) for name, evaluation in suite_evaluations(names, data).items()}


def evaluate_suites(model: LanguageModel, names: Sequence[str], data: SuiteData) -> dict[str, Score]:
    """Return the figures of all suites as `<suite>.<figure>`, for `format_scores`; see `suite_evaluations`."""
    return {
        f"{suite}.{name}": score
        for suite, evaluation in suite_evaluations(names, data).items()
        for name, score in evaluation(model).items()
    }


def blimp_evaluation(tokenizer: TextEncoder, paradigms: Paradigms) -> Evaluation:
    """Return the evaluation of the mean accuracy on minimal pairs: `accuracy`."""
    return lambda model: {"accuracy": score_pairs(model, tokenizer, paradigms).mean}


def cloze_evaluation(tokenizer: TextEncoder, items: Sequence[ClozeItem]) -> Evaluation:
    """Return the evaluation of a cloze task: `bits_per_byte` of the right answers, and `accuracy`."""

    def evaluation(model: LanguageModel) -> dict[str, Score]:
        scores = score_cloze(model, tokenizer, items)
        return {"bits_per_byte": scores.bits_per_byte, "accuracy": scores.accuracy}

    return evaluation


def _evaluation(part: str, data: SuiteData) -> Evaluation:
    if part == BITS_PER_BYTE:
        if data.heldout is None or not data.heldout.heldout:
            raise ValueError("suite 'bpb' needs a held-out split: the prepared data of the run would work")
        return bits_per_byte_evaluation(data.heldout, length=data.length)
    if data.tokenizer is None:
        raise ValueError(f"suite {part!r} needs the tokenizer that the model was trained with: its file would work")
    if part == BLIMP:
        return blimp_evaluation(data.tokenizer, sample_pairs(read_pairs(_path(part, data)), data.share, data.seed))
    items = read_cloze(_path(part, data), CLOZE_TASKS[part][1])
    return cloze_evaluation(data.tokenizer, sample_items(items, data.share, f"{data.seed} {part}"))


def _parts_of_smallbench(data: SuiteData) -> list[str]:
    """Return the parts of SmallBench that are given. Raises ValueError when none is."""
    parts = [BITS_PER_BYTE] if data.heldout is not None and data.heldout.heldout else []
    parts += [part for part in (BLIMP, *CLOZE_TASKS) if _found(part, data)]
    if not parts:
        raise ValueError(
            f"suite 'smallbench' has no part here: a folder with {_FILES[BLIMP]} or {_FILES['lambada']} would work"
        )
    return parts


def _found(part: str, data: SuiteData) -> Path | None:
    """Return the file or folder of a part, or None where the folder lacks it."""
    if data.folder is None:
        return None
    pattern = _FILES[part]
    places = [data.folder / BLIMP] if part == BLIMP else [data.folder / pattern, data.folder / Path(pattern).name]
    return next((place for place in places if place.exists()), None)


def _path(part: str, data: SuiteData) -> Path:
    if data.folder is None:
        raise ValueError(f"suite {part!r} needs a folder of test sets, with {_FILES[part]} in it")
    if not data.folder.is_dir():
        raise ValueError(f"folder={str(data.folder)!r} is no folder: one with {_FILES[part]} in it would work")
    if (path := _found(part, data)) is None:
        raise ValueError(f"suite {part!r} needs {_FILES[part]}, which folder={str(data.folder)!r} does not hold")
    return path
