"""Every key of a link with every hostile value, and pins of mixtures that somebody has damaged: sentences alone."""

import random

import pytest

from slimlm.compare.pin_links import read_pins, write_pin
from slimlm.compare.pins import pin_of
from slimlm.core.published import all_published
from slimlm.serialization.fields import KNOBS
from tests.fuzz.judge import fault_of, sentence_fault
from tests.test_hostile_links import LIVELY, ODD, problem

VALUES = (*ODD, *LIVELY, "1e400", "-1e400", "\u0661\u0662", "1,2", "0x10", "1e3", "nan,nan")
MIXTURES = [model for model in all_published() if model.architecture.is_mixture]


@pytest.mark.parametrize("name", KNOBS)
def test_a_key_of_a_link_reads_every_value_or_says_why_not(name: str) -> None:
    found = [fault_of(lambda value=value: KNOBS[name].from_text(value)) for value in VALUES]  # type: ignore[misc]
    assert [fault for _, fault in found if fault] == []
    assert sum(refused for refused, _ in found) > len(VALUES) // 2


def damaged_pin(draw: random.Random) -> str:
    text = write_pin(pin_of(draw.choice(MIXTURES), draw.choice(("", *LIVELY))))
    start = draw.randrange(len(text) + 1)
    return text[:start] + draw.choice(VALUES)[:60] + text[start + draw.choice((0, 1, 5)) :]


def test_a_damaged_pin_of_a_mixture_is_read_or_refused_in_a_sentence() -> None:
    draw, refused = random.Random(5), 0
    for _ in range(400):
        text = damaged_pin(draw)
        _, told = read_pins((text, text[::-1], text))
        assert [fault for sentence in told if (fault := sentence_fault(sentence))] == []
        refused += bool(told)
    assert refused > 300


def test_the_page_of_comparisons_stands_with_damaged_pins_of_mixtures() -> None:
    draw = random.Random(6)
    good = write_pin(pin_of(MIXTURES[0]))
    assert problem("pages/compare.py", {"pin": [good, *(damaged_pin(draw) for _ in range(5))]}) == ""
