"""Fields refuse what breaks their rule, say what would work, and document themselves."""

import dataclasses
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.utils.validation import (
    FieldError,
    Limits,
    check_field,
    check_fields,
    check_option,
    check_positive,
    check_whole,
    choice,
    documented,
    field_docs,
    field_limits,
    nearest_allowed,
    real,
    required_whole,
    whole,
)
from tests.companions import with_companions
from tests.strategies import anything_allowed, limits_of, options_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kettle:
    litres: int = documented("Volume.", whole(2, 1, 1000))
    power: float = documented("Power in kW, at full steam.", real(1.5, 0.5, 3.0))
    timer: int | None = documented("Minutes.", whole(None, 1, 60))
    lid: bool = True
    steam: int | str = documented("Minutes of steam.", whole(3, 1, 9, "auto"))
    colour: str = documented("Colour.", choice("red", "blue"))
    cups: int = documented("Cups.", required_whole(1, 10**6))

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"litres": 0}, "litres=0 is not allowed: it must be a whole number between 1 and 1,000; litres=1 would work"),
        ({"litres": 1001}, "litres=1001 is not allowed: {}; litres=1000 would work"),
        ({"litres": 2.0}, "litres=2.0 is not allowed: {}; litres=2 would work"),
        ({"litres": 2.5}, "litres=2.5 is not allowed: {}; litres=2 would work"),
        ({"litres": True}, "litres=True is not allowed: {}; litres=2 would work"),
        ({"litres": None}, "litres=None is not allowed: {}; litres=2 would work"),
        ({"litres": math.nan}, "litres=nan is not allowed: {}; litres=2 would work"),
        ({"litres": -math.inf}, "litres=-inf is not allowed: {}; litres=1 would work"),
        ({"litres": 60 * "9"}, f"litres='{36 * '9'}... is not allowed: {{}}; litres=2 would work"),
        ({"power": 0.1}, "power=0.1 is not allowed: it must be a number between 0.5 and 3; power=0.5 would work"),
        ({"power": math.inf}, "power=inf is not allowed: it must be a number between 0.5 and 3; power=3.0 would work"),
        ({"power": "1"}, "power='1' is not allowed: it must be a number between 0.5 and 3; power=1.5 would work"),
        (
            {"timer": 0},
            "timer=0 is not allowed: it must be a whole number between 1 and 60, or None; timer=1 would work",
        ),
        (
            {"timer": "5"},
            "timer='5' is not allowed: it must be a whole number between 1 and 60, or None; timer=None would work",
        ),
        ({"lid": 1}, "lid=1 is not allowed: it must be True or False; lid=True would work"),
        ({"lid": None}, "lid=None is not allowed: it must be True or False; lid=True would work"),
        (
            {"steam": 0},
            "steam=0 is not allowed: it must be a whole number between 1 and 9, or 'auto'; steam=1 would work",
        ),
        (
            {"steam": "much"},
            "steam='much' is not allowed: it must be a whole number between 1 and 9, or 'auto'; steam=3 would work",
        ),
        (
            {"colour": "green"},
            "colour='green' is not allowed: it must be one of 'red', 'blue'; colour='red' would work",
        ),
        (
            {"colour": ["red"]},
            "colour=['red'] is not allowed: it must be one of 'red', 'blue'; colour='red' would work",
        ),
        ({"cups": 0}, "cups=0 is not allowed: it must be a whole number between 1 and 1,000,000; cups=1 would work"),
        ({"cups": "2"}, "cups='2' is not allowed: it must be a whole number between 1 and 1,000,000"),
    ],
)
def test_message_names_value_rule_and_remedy(changes: dict[str, Any], message: str) -> None:
    whole_message = message.format("it must be a whole number between 1 and 1,000")
    with pytest.raises(ValueError, match=f"^{re.escape(whole_message)}$"):
        Kettle(**({"cups": 4} | changes))


def test_an_error_carries_its_parts_and_is_written_from_them() -> None:
    error = FieldError("heads", 3, "it must divide {width}=8", (("heads", 2), ("heads", 4)), (("rope", True),))
    written = "heads=3 is not allowed with rope=True: it must divide width=8; heads=2 or heads=4 would work"
    assert str(error) == written
    assert str(pickle.loads(pickle.dumps(error))) == written
    assert str(FieldError("heads", 3, "it must be even")) == "heads=3 is not allowed: it must be even"


def test_an_error_is_written_with_the_names_of_another_format() -> None:
    error = FieldError("heads", 3, "it must divide {width}=8", (("heads", 2), ("rope", False)), (("rope", True),))
    assert str(error.renamed({"heads": "num_heads", "width": "hidden.size"})) == (
        "num_heads=3 is not allowed: it must divide hidden.size=8; num_heads=2 would work"
    )


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (lambda: check_whole(steps=1, tokens=0), "tokens=0 is not allowed: it must be a whole number of at least 1; "),
        (lambda: check_whole(tokens=True), "tokens=True is not allowed: it must be a whole number of at least 1; "),
        (lambda: check_positive(flops=math.inf), "flops=inf is not allowed: it must be a finite number above 0; "),
        (
            lambda: check_option("kind", "c", ["a", "b"]),
            "kind='c' is not allowed: it must be one of 'a', 'b'; kind=",
        ),
        (lambda: check_option("kind", "", ["a"]), "kind='' is not allowed: it must be one of 'a'; kind='a' would work"),
    ],
)
def test_arguments_are_checked_like_fields(check: Callable[[], None], sentence: str) -> None:
    with pytest.raises(FieldError, match=f"^{re.escape(sentence)}"):
        check()


def test_a_word_may_stand_for_a_number() -> None:
    assert Kettle(cups=1, steam="auto").steam == "auto"


def test_one_field_is_checked_whatever_the_others_are() -> None:
    check_field(ModelConfig, "n_kv_heads", 3)
    with pytest.raises(ValueError, match=r"^litres=0 is not allowed: .*; litres=1 would work$"):
        check_field(Kettle, "litres", 0)


def test_options_are_the_declared_words() -> None:
    assert options_of(Kettle, "colour") == ("red", "blue")
    assert options_of(Kettle, "litres") == ()


def test_a_real_field_takes_whole_numbers_and_both_ends() -> None:
    assert [Kettle(cups=1, power=power).power for power in (1, 0.5, 3)] == [1, 0.5, 3]


def test_the_first_broken_rule_is_named() -> None:
    with pytest.raises(ValueError, match=r"^litres=0 is not allowed"):
        Kettle(cups=0, litres=0)


BAD: dict[type, list[Any]] = {
    int: [0.5, math.nan, math.inf, -math.inf, "", "10", b"10", True, False, -1, 10**20, [1], 1j, object],
    float: [math.nan, math.inf, -math.inf, "", "0.5", None, True, False, -1, 1e300, [0.5], 1j, object],
    bool: [0, 1, None, "True", 1.0, math.nan],
}
WORDS = [None, 1, True, "", "other", ["layernorm"], object]
LETTERS = [None, 1, True, "", "other", "W", "f" * 257, ["f"], object]
BASES: dict[type, dict[str, Any]] = {
    ModelConfig: {"n_heads": 1024},
    Architecture: {"d_model": 1024, "d_ff": 1024, "n_layers": 1, "n_heads": 1024, "head_dim": 1},
}


def bad_numbers(cls: type, field: dataclasses.Field[Any]) -> list[Any]:
    limits = field.metadata.get("limits")
    kind: Any = float if limits and limits.real_valued else field.type if field.type in BAD else int
    bad = [value for value in BAD[kind] if not (value is None and limits and limits.optional)]
    if kind is not bool:
        bad += [limits_of(cls, field.name).low - 1, limits_of(cls, field.name).high + 1]
    if kind is int and not limits_of(cls, field.name).optional:
        bad.append(None)
    return bad


def bad_values() -> list[Any]:
    cases = []
    for cls in BASES:
        for field in dataclasses.fields(cls):
            words = LETTERS if "letters" in field.metadata else WORDS if options_of(cls, field.name) else None
            bad = list(words) if words else bad_numbers(cls, field)
            cases += [
                pytest.param(cls, field.name, value, id=f"{cls.__name__}-{field.name}-{shown(value)}") for value in bad
            ]
    return cases


def shown(value: object) -> str:
    return repr(value)[:12]


@pytest.mark.parametrize(("cls", "name", "value"), bad_values())
def test_bad_values_are_refused_and_the_remedy_works(cls: type, name: str, value: Any) -> None:
    text = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
    base = BASES[cls]
    with pytest.raises(FieldError, match=f"^{name}={re.escape(text)} is not allowed: it must be ") as caught:
        cls(**(base | {name: value}))
    error = caught.value
    assert len(str(error)) < 250
    assert error.field == name
    assert error.value is value
    for field, working in error.remedies:
        assert str(error).endswith(f"; {field}={working!r} would work")
        cls(**(base | with_companions(field, working)))
    if not error.remedies:
        required = next(field for field in dataclasses.fields(cls) if field.name == name)
        assert required.default is dataclasses.MISSING, "a field with a default always knows a value that works"


@pytest.mark.parametrize(("sign", "remedy"), [(1, 10**15), (-1, 1)])
def test_a_number_too_large_for_a_float_is_refused_like_any_other(sign: int, remedy: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^total_params=-?10+\.\.\. is not allowed: .*; total_params={remedy} would work$"
    ):
        ModelConfig(total_params=sign * 10**400)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ModelConfig)])
def test_every_value_within_the_limits_is_taken(name: str) -> None:
    pairs = name == "qk_rope_head_dim"  # RoPE turns pairs: an odd number is refused with another rule

    @given(anything_allowed(ModelConfig, name).map(lambda value: value - value % 2 if pairs else value))
    @settings(deadline=None)
    def check(value: Any) -> None:
        beside: dict[str, Any] = {"n_heads": value} if name == "n_kv_heads" and value else {}
        assert getattr(ModelConfig(**beside | with_companions(name, value)), name) is value

    check()


def test_limits_include_their_ends() -> None:
    limits = Limits(1, 2)
    assert [limits.admits(value) for value in (0.999, 1, 1.5, 2, 2.001, math.nan)] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_field_limits_are_the_declared_ones() -> None:
    assert field_limits(Kettle, "litres") == Limits(1, 1000)
    assert field_limits(Kettle, "timer") == Limits(1, 60, optional=True)


@given(st.sampled_from(["litres", "power", "timer", "cups"]), st.integers() | st.floats(allow_nan=False))
@settings(deadline=None)
def test_the_nearest_allowed_value_is_allowed_and_none_is_nearer(name: str, value: float) -> None:
    limits = field_limits(Kettle, name)
    nearest = nearest_allowed(Kettle, name, value)
    assert isinstance(nearest, (int, float))
    allowed: dict[str, Any] = {"cups": 1, name: nearest}
    Kettle(**allowed)
    expected = limits.low if value < limits.low else limits.high if value > limits.high else value
    assert nearest == (expected if name == "power" else int(expected))


def test_documentation_comes_from_the_declaration_of_a_field() -> None:
    assert field_docs(Kettle) == {
        "litres": "Volume.",
        "power": "Power in kW, at full steam.",
        "timer": "Minutes.",
        "steam": "Minutes of steam.",
        "colour": "Colour.",
        "cups": "Cups.",
    }


def test_a_documented_switch_keeps_its_default() -> None:
    declared = documented("Whether the lid is on.", True)
    assert (declared.default, declared.metadata["doc"]) == (True, "Whether the lid is on.")


@pytest.mark.parametrize("cls", [ModelConfig, Architecture])
def test_every_field_is_documented(cls: type) -> None:
    docs = field_docs(cls)
    assert docs.keys() == {field.name for field in dataclasses.fields(cls)}
    assert all(text == " ".join(text.split()) and text.endswith(".") for text in docs.values())


def test_inherited_documentation_comes_along() -> None:
    assert field_docs(ModelConfig)["vocab_size"] == field_docs(Architecture)["vocab_size"]
    assert field_docs(ModelConfig)["vocab_size"].startswith("Number of tokens that the tokenizer knows")
