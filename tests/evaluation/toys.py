"""A small tokenizer, models for it, and sentences, for tests of what is said about texts."""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from slimlm.core.architecture import Architecture
from slimlm.data.tokenizer import Tokenizer, train_tokenizer
from slimlm.model.language_model import LanguageModel
from tests.native import SMALL, SMALL_LLAMA, built

SUBJECTS = ("The cat", "A tall man", "My old friend", "Nobody here", "The café’s owner")
VERBS = ("sees", "has never seen", "would like to buy", "was looking for")
OBJECTS = ("the dog.", "an answer, she said.", "many houses!", "it.", "naïve questions…")

SENTENCES = [f"{subject} {verb} {thing}" for subject in SUBJECTS for verb in VERBS for thing in OBJECTS]


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer([" ".join(SENTENCES)], 360)


def architecture(base: Architecture = SMALL_LLAMA, max_seq_length: int = 48) -> Architecture:
    return replace(base, vocab_size=tokenizer().vocab_size, max_seq_length=max_seq_length)


def model_of(base: Architecture = SMALL_LLAMA, max_seq_length: int = 48) -> LanguageModel:
    torch.manual_seed(0)
    return built(architecture(base, max_seq_length), std=0.3)


ARCHITECTURES = [SMALL, SMALL_LLAMA, replace(SMALL_LLAMA, positions="alibi", tied_lm_head=False)]


def plain_nats(model: LanguageModel, context: list[int], target: list[int]) -> float:
    """Return −ln p of some tokens after others: one sequence at a time, in float64 after the logits."""
    ids = torch.tensor([[*context, *target]])
    with torch.no_grad():
        logits = model(ids[:, :-1])[0][0].double().log_softmax(-1)
    return -sum(float(logits[len(context) - 1 + place, token]) for place, token in enumerate(target))


def write_lines(file: Path, items: Iterable[Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    return file
