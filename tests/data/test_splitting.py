"""Training and held-out parts: nothing is lost, nothing is on both sides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.data.documents import Document
from slimlm.data.splitting import OUT_OF_DOMAIN, TRAIN, VALIDATION, SplitRule, text_hash, threshold_for
from tests.data.texts import prose


@settings(deadline=None)
@given(
    text=st.text("ab .!\n", max_size=3000),
    share=st.floats(0.001, 0.5),
    threshold=st.integers(0, 2**64),
)
def test_the_parts_of_a_document_are_the_document(text: str, share: float, threshold: int) -> None:
    rule, document = SplitRule(share, threshold=threshold), Document("a", text)
    parts = rule.parts(document)
    assert "".join(part for _, part in parts) == text
    if rule.is_small(document):
        assert parts == [(VALIDATION if text_hash(text) < threshold else TRAIN, text)]
        return
    assert [split for split, _ in parts] == [TRAIN, VALIDATION]
    assert 0.5 * share * len(text) - 2 <= len(parts[1][1]) <= 1.5 * share * len(text) + 2


@pytest.mark.parametrize(
    ("boundary", "others"),
    [("\n\n", "\n. "), ("\n", ". "), (". ", " "), (" ", "")],
    ids=["paragraph", "line", "sentence", "word"],
)
def test_the_cut_is_at_the_best_boundary_near_the_place(boundary: str, others: str) -> None:
    filler = "x".join(["x" * 50, *others, "x" * 50])
    text = (filler * 40)[:2000] + boundary + (filler * 40)[:1000]
    (_, train), (_, heldout) = SplitRule(1 / 3).parts(Document("a", text))
    assert train.endswith("x" + boundary)
    assert len(train) == 2000 + len(boundary)
    assert heldout.startswith("x")


def test_prose_is_cut_after_a_paragraph() -> None:
    (_, train), (_, heldout) = SplitRule(0.05).parts(Document("a", prose(100_000)))
    assert train.endswith("\n\n")
    assert heldout[0].isupper() or heldout[0] == "“"


def test_a_text_without_boundaries_is_cut_at_its_place() -> None:
    assert [len(part) for _, part in SplitRule(0.25).parts(Document("a", "x" * 4000))] == [3000, 1000]


def test_documents_out_of_domain_stay_whole() -> None:
    rule = SplitRule(0.1, ("main-street", "gatsby"))
    for name, split in (("lewis_main-street.txt", OUT_OF_DOMAIN), ("the-great-gatsby.md:7", OUT_OF_DOMAIN)):
        assert rule.parts(Document(name, "x" * 9000)) == [(split, "x" * 9000)]
    assert [split for split, _ in rule.parts(Document("moby-dick", "x" * 9000))] == [TRAIN, VALIDATION]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.floats(0.001, 0.5), st.booleans())
def test_a_share_of_small_documents_is_held_out_and_equal_ones_together(
    hashes: list[int], share: float, at_least_one: bool
) -> None:
    threshold = threshold_for(hashes, share, at_least_one=at_least_one)
    count = sum(number < threshold for number in hashes)
    least = max(round(len(hashes) * share), int(at_least_one and len(hashes) > 1))
    assert count >= least
    assert len({number for number in hashes if number < threshold}) <= least
