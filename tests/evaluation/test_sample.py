"""Text samples: greedy ones are those of transformers, drawn ones depend on their seed alone."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from slimlm.evaluation import sample as module
from slimlm.evaluation.sample import next_tokens, sample
from slimlm.model.pretrained import export_pretrained
from tests.evaluation.toys import model_of, tokenizer
from tests.native import SMALL_LLAMA, built


def test_greedy_text_is_that_of_transformers(tmp_path: Path) -> None:
    model, known = model_of(), tokenizer()
    theirs: Any = AutoModelForCausalLM.from_pretrained(export_pretrained(model, tmp_path))
    for prompt in ("The cat", "Nobody here sees the", ""):
        ids = torch.tensor([[known.bos_id, *known.encode(prompt)]])
        expected = theirs.generate(ids, max_new_tokens=20, do_sample=False, pad_token_id=0, attention_mask=ids >= 0)
        found = next_tokens(model, ids[0].tolist(), tokens=20, temperature=0)
        assert found == expected[0, ids.shape[1] :].tolist()
        assert sample(model, known, prompt, tokens=20, temperature=0) == known.decode([*ids[0].tolist()[1:], *found])


def test_text_goes_on_beyond_the_longest_sequence() -> None:
    model = model_of(SMALL_LLAMA, 8)
    found = next_tokens(model, [0, 5, 6], tokens=30, temperature=0)
    assert len(found) == 30
    known = [0, 5, 6, *found]
    for end in (12, 32):
        assert known[end] == int(model(torch.tensor([known[end - 8 : end]]))[0][0, -1].argmax())


def test_one_seed_gives_one_text_and_leaves_no_trace() -> None:
    model, known = model_of().train(), tokenizer()
    state = torch.get_rng_state()
    first = sample(model, known, "The cat", tokens=12, seed=1)
    assert first == sample(model, known, "The cat", tokens=12, seed=1)
    assert first != sample(model, known, "The cat", tokens=12, seed=2)
    assert first.startswith("The cat")
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


def test_text_ends_where_another_document_would_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter([5, 6, tokenizer().bos_id, 7])
    monkeypatch.setattr(module, "_choose", lambda *_: next(ids))
    assert sample(model_of(), tokenizer(), "The", tokens=9) == "The" + tokenizer().decode([5, 6])


@pytest.mark.parametrize(
    ("temperature", "top_k", "weights"), [(1.0, None, (4, 2, 1, 1)), (0.5, None, (16, 4, 1, 1)), (1.0, 2, (4, 2, 0, 0))]
)
def test_tokens_are_drawn_by_their_probabilities(
    temperature: float, top_k: int | None, weights: tuple[int, ...]
) -> None:
    logits, generator = torch.tensor([4.0, 2.0, 1.0, 1.0]).double().log(), torch.Generator().manual_seed(0)
    count = 2000
    found = Counter(module._choose(logits, temperature, top_k, generator) for _ in range(count))
    for token, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(found[token] - count * share) <= 5 * math.sqrt(count * share * (1 - share))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": 0}, "^tokens=0 is not allowed: it must be a whole number of at least 1"),
        ({"top_k": 0}, "^top_k=0 is not allowed: it must be a whole number of at least 1"),
        ({"temperature": -1}, r"^temperature=-1 is not allowed: it must be a finite number of at least 0 \(the most"),
        ({"temperature": math.inf}, "^temperature=inf is not allowed: it must be a finite number"),
        ({"seed": -1}, r"^seed=-1 is not allowed: it must be a whole number from 0 to 2\*\*63 − 1; seed=0 would work"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(model_of(), tokenizer(), "The cat", **settings)


def test_a_tokenizer_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the tokenizer gives id \d+, but the model has 40 tokens"):
        sample(built(SMALL_LLAMA), tokenizer(), "The cat sees")


def test_ids_without_a_text_are_never_written() -> None:
    known = tokenizer()
    model = built(replace(model_of().architecture, vocab_size=known.vocab_size + 2000), std=0.3)
    ids = next_tokens(model, [known.bos_id], tokens=30)
    assert max(ids) >= known.vocab_size, "or this test shows nothing"
    for temperature in (0.0, 1.0):
        assert sample(model, known, "The cat", tokens=30, temperature=temperature).startswith("The cat")


def test_the_smallest_temperature_takes_the_most_probable_token() -> None:
    model = model_of()
    assert next_tokens(model, [0, 5], tokens=8, temperature=5e-324) == next_tokens(
        model, [0, 5], tokens=8, temperature=0
    )


def test_a_model_without_probabilities_and_no_ids_are_refused_in_a_sentence() -> None:
    model = model_of()
    with pytest.raises(ValueError, match=r"^there is no id to go on from: .* would work$"):
        next_tokens(model, [], tokens=1)
    with torch.no_grad():
        model.token_embedding.weight.fill_(math.nan)
    with pytest.raises(ValueError, match=r"^the model gives logits that are not finite: .* would work$"):
        sample(model, tokenizer())
