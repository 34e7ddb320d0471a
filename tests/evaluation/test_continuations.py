"""Continuations: where they start, and log-probabilities that do not depend on batches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from slimlm.core.architecture import Architecture
from slimlm.evaluation import continuations, scoring
from slimlm.evaluation.continuations import Continuation, encode_continuation, score_continuations, scored_bytes
from tests.evaluation.toys import ARCHITECTURES, SENTENCES, model_of, plain_nats, tokenizer
from tests.native import SMALL_LLAMA

TEXTS = st.text("adeght ,\n\u00a0é😀", max_size=12)


@given(context=TEXTS, text=TEXTS.filter(bool))
@settings(max_examples=100, deadline=None)
def test_context_and_continuation_are_the_ids_of_one_text(context: str, text: str) -> None:
    found = encode_continuation(tokenizer(), context, text)
    assert (*found.context, *found.target) == (tokenizer().bos_id, *tokenizer().encode(context + text))
    assert scored_bytes(tokenizer(), found) >= len(text.encode())


@pytest.mark.parametrize(
    ("context", "text", "target"),
    [
        ("", " The cat", " The cat"),
        ("The cat", " sees it.", " sees it."),
        ("The cat ", "sees it.", " sees it."),
        ("The cat\n ", "sees", "\n sees"),
        ("The cat sees the do", "g", " dog"),  # one token over the border
        ("The café", "’s", "’s"),
    ],
)
def test_a_continuation_starts_where_the_ids_differ(context: str, text: str, target: str) -> None:
    found = encode_continuation(tokenizer(), context, text)
    assert tokenizer().decode(found.target) == target
    assert scored_bytes(tokenizer(), found) == len(target.encode())


@pytest.mark.parametrize("base", ARCHITECTURES)
def test_scores_are_those_of_one_sequence_at_a_time(base: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    known, model = tokenizer(), model_of(base)
    monkeypatch.setattr(scoring, "_MOST_LOGITS_CPU", 100 * known.vocab_size)  # so that there are many batches
    requests = [
        encode_continuation(known, sentence[:cut], sentence[cut:])
        for sentence, cut in zip(SENTENCES[::3], [0, 3, 7, 8] * 9, strict=False)
    ]
    found = score_continuations(model, requests)
    assert [score.nats for score in found] == pytest.approx(
        [plain_nats(model, list(request.context), list(request.target)) for request in requests], rel=1e-5
    )


def test_a_continuation_is_greedy_when_the_model_would_write_it() -> None:
    model = model_of()
    first = int(model(torch.tensor([[0, 5]]))[0][0, -1].argmax())
    second = int(model(torch.tensor([[0, 5, first]]))[0][0, -1].argmax())
    requests = [Continuation((0, 5), (first, second)), Continuation((0, 5), (first, (second + 1) % 9))]
    assert [score.is_greedy for score in score_continuations(model, requests)] == [True, False]


def test_the_start_of_a_long_context_is_left_out() -> None:
    model, ids = model_of(SMALL_LLAMA, 8), tokenizer().encode(" ".join(SENTENCES[:10]))
    long, short = Continuation((0, *ids[:20]), tuple(ids[20:23])), Continuation(tuple(ids[14:20]), tuple(ids[20:23]))
    found = score_continuations(model, [long, short])
    assert found[0].nats == pytest.approx(found[1].nats)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 21])
def test_a_long_continuation_is_scored_in_the_windows_of_lm_eval(count: int) -> None:
    model, ids = model_of(SMALL_LLAMA, 8), tokenizer().encode(" ".join(SENTENCES[:10]))[:count]
    windows = [make_disjoint_window(pair) for pair in get_rolling_token_windows(ids, 0, max_seq_len=8, context_len=1)]
    assert sum(len(target) for _, target in windows) == count
    found = score_continuations(model, [Continuation((0,), tuple(ids))])
    assert found[0].nats == pytest.approx(sum(plain_nats(model, *window) for window in windows), rel=1e-6)


# Bad input


def test_an_empty_continuation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a continuation is empty: it must hold at least one token$"):
        encode_continuation(tokenizer(), "The cat", "")


def test_ids_of_another_tokenizer_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^the tokenizer gives id 360, but the model has 360 tokens: the tokenizer"):
        score_continuations(model_of(), [Continuation((0,), (360,))])


# Planted faults


def test_padding_at_the_left_breaks_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    padded = continuations._padded
    monkeypatch.setattr(continuations, "_padded", lambda rows: padded(rows).roll(1, dims=1))
    with pytest.raises(AssertionError):
        test_scores_are_those_of_one_sequence_at_a_time(SMALL_LLAMA, pytest.MonkeyPatch())
