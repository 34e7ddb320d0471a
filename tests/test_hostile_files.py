"""Files that are broken, huge, of another kind or made to do harm: a sentence each, and nothing is lost or run."""

import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from slimlm.cli.main import main
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig, written
from slimlm.interop.hf import MAX_BYTES, from_hf_config, parse_hf_config
from slimlm.model.pretrained import from_pretrained
from slimlm.serialization.design_json import request_from_text, to_record
from slimlm.serialization.links import read_named_model
from slimlm.solver.solver import solve
from slimlm.utils.files import read_bytes, read_json
from slimlm.utils.text import named, one_line, shown
from tests.test_app import APP, chart_title
from tests.test_app import shown as unescaped

CONFIG = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 512, "rms_norm_eps": 1e-6}
DESIGN = json.dumps(to_record(solve(ModelConfig())))
SHAPE = json.dumps({"name": "mine"} | written(asdict(Architecture(d_model=8, d_ff=8, n_layers=1))))

READERS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "the config": (json.dumps(CONFIG), lambda text: from_hf_config(parse_hf_config(text))),
    "the file": (DESIGN, request_from_text),
    "the link's model": (SHAPE, read_named_model),
}
"""What a sentence calls a text → a good one, and what reads it."""


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> tuple[str, str, Callable[[Any], object]]:
    """What the text is called, a good one, and what reads it."""
    return (request.param, *READERS[request.param])


def refusal(read: Callable[[Any], object], text: object) -> str:
    with pytest.raises(ValueError) as caught:
        read(text)
    sentence = str(caught.value)
    assert sentence.isprintable() and len(sentence) < 500
    return sentence


# Texts.


def test_a_good_text_is_read(reader: tuple[str, str, Callable[[Any], object]]) -> None:
    _, good, read = reader
    assert read(good) == read(f"\ufeff{good}")


def test_a_text_that_is_cut_off_anywhere_is_refused(reader: tuple[str, str, Callable[[Any], object]]) -> None:
    name, good, read = reader
    for end in [*range(1, 40), *range(40, len(good), 97), len(good) - 1]:
        unread = "cannot be read: line 1 " if name == "the config" else "is not JSON: "
        assert refusal(read, good[:end]).startswith(f"{name} {unread}")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda good: good.replace("{", '{"again": 1, "again": 1, ', 1), 'gives "again" twice: keep one of them'),
        (lambda good: good.replace("{", '{"inner": %s, ' % ("[" * 64 + "]" * 64), 1), "is nested too deeply: it must"),
        (lambda good: good.replace("{", '{"inner": {"a": [{"b": 1, "b": 2}]}, ', 1), 'gives "b" twice: keep one of'),
        (
            lambda good: good.replace("{", '{"long": %s, ' % ("9" * 401), 1),
            "holds a number of 401 digits: it must have",
        ),
        (lambda good: good.replace("{", '{"long": -%s, ' % ("9" * 3000), 1), "holds a number of 3,001 digits: it must"),
        (lambda good: '{"a":' * 600 + "1" + "}" * 600, "is nested too deeply: it must have at most 64"),
    ],
)
def test_a_broken_text_is_one_sentence(
    broken: Callable[[str], str], sentence: str, reader: tuple[str, str, Callable[[Any], object]]
) -> None:
    name, good, read = reader
    assert refusal(read, broken(good)).startswith(f"{name} {sentence}")


@pytest.mark.parametrize(
    ("broken", "sentence", "of_config"),
    [
        (
            lambda good: good.replace('"', "'").removesuffix("}"),
            "is not JSON: Expecting property name enclosed in double quotes: line 1",
            "cannot be read: line 1 ends before the { of line 1 is closed",
        ),
        (
            lambda good: good + good,
            "is not JSON: Extra data: line 1 column",
            'cannot be read: line 1 goes on with "{" after the config: keep one config alone',
        ),
        (
            lambda good: good.replace("{", '{"a": "\x01", ', 1),
            "is not JSON: Invalid control character at: line 1 column",
            "cannot be read: line 1 holds the control character U+0001: the text without it would work",
        ),
        (
            lambda good: "{",
            "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            "cannot be read: line 1 ends where a key was expected",
        ),
    ],
)
def test_a_text_that_is_not_json_is_one_sentence(
    broken: Callable[[str], str], sentence: str, of_config: str, reader: tuple[str, str, Callable[[Any], object]]
) -> None:
    name, good, read = reader
    expected = of_config if name == "the config" else sentence
    assert refusal(read, broken(good)).startswith(f"{name} {expected}")


@pytest.mark.parametrize("name", ["the config", "the file"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_bytes_that_are_not_utf_8_are_one_sentence(encoding: str, name: str) -> None:
    good, read = READERS[name]
    found = refusal(read, good.encode(encoding))
    unread = "cannot be read: line 1 holds the control character U+0000" if name == "the config" else "is not JSON: "
    assert found.startswith((f"{name} is not UTF-8 text: byte ", f"{name} {unread}"))
    assert refusal(read, bytes(range(128, 256))) == f"{name} is not UTF-8 text: byte 0 cannot be read"
    assert refusal(read, good.encode() + b"\xff") == f"{name} is not UTF-8 text: byte {len(good)} cannot be read"


def test_the_size_is_looked_at_before_the_text_is_read(reader: tuple[str, str, Callable[[Any], object]]) -> None:
    name, _, read = reader
    assert refusal(read, "\0" * (MAX_BYTES + 1)).startswith(f"{name} has 1,000,001 characters: it must have at most ")


@pytest.mark.parametrize("name", ["the config", "the file"])
def test_an_empty_file_and_too_many_bytes_are_one_sentence(name: str) -> None:
    _, read = READERS[name]
    empty = {"the config": "is empty: the text of a config.json would work"}
    assert refusal(read, "") == f"{name} {empty.get(name, 'is not JSON: Expecting value: line 1 column 1 (char 0)')}"
    assert "bytes: it must have at most" in refusal(read, b"\xff" * (MAX_BYTES + 1))


WRONG: tuple[object, ...] = (
    None,
    True,
    "8",
    "\ud800",
    "",
    [],
    [8],
    {},
    {"a": 1},
    -1,
    0,
    0.5,
    1e400,
    float("nan"),
    10**30,
)


@pytest.mark.parametrize("name", READERS)
def test_a_value_of_a_wrong_kind_is_read_as_its_field_allows_or_refused(name: str) -> None:
    good, read = READERS[name]
    record = json.loads(good)
    place = record.get("request", record)
    refused = 0
    for key, value in ((key, value) for key in list(place) for value in WRONG):
        before = place[key]
        place[key] = value
        try:
            read(json.dumps(record))
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) < 500
            refused += 1
        place[key] = before
    assert refused > 0.4 * len(place) * len(WRONG)


def test_a_thousand_damaged_texts_are_read_or_refused(reader: tuple[str, str, Callable[[Any], object]]) -> None:
    _, good, read = reader
    draw, refused = random.Random(7), 0
    for _ in range(300):
        start = draw.randrange(len(good))
        piece = draw.choice(
            ['"', "{", "}", "[", "]", ",", ":", "9" * 50, "NaN", "null", '"\\ud800"', "\\", "-", "e", ""]
        )
        try:
            read(good[:start] + piece + good[start + draw.randint(0, 20) :])
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) < 500
            refused += 1
    assert refused > 200


# Paths.


@contextmanager
def odd_files(folder: Path) -> Iterator[dict[str, Path]]:
    """Make what is no file to read, by its kind."""
    found = {name: folder / name for name in ("pipe", "loop", "socket", "device", "nothing", "folder")}
    os.mkfifo(found["pipe"])
    found["loop"].symlink_to(found["loop"])
    found["device"].symlink_to("/dev/zero")
    found["folder"].mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(found["socket"]))
        yield found


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("pipe", "the file is no regular file but a device, a pipe or a socket: the path of a file would work"),
        ("device", "the file is no regular file but a device, a pipe or a socket: the path of a file would work"),
        ("socket", "the file is no regular file but a device, a pipe or a socket: the path of a file would work"),
        ("loop", "the file cannot be read: Too many levels of symbolic links"),
        ("nothing", "the file cannot be read: No such file or directory"),
        ("folder", "the file is a folder: the path of a file would work"),
    ],
)
def test_what_is_no_file_is_refused_and_nothing_hangs(kind: str, sentence: str, tmp_path: Path) -> None:
    with odd_files(tmp_path) as files:
        assert refusal(lambda path: read_bytes(path, "the file", 10), files[kind]) == sentence
        if kind != "folder":
            assert refusal(from_hf_config, files[kind]).endswith(sentence.removeprefix("the file"))


def test_a_huge_file_is_refused_by_its_size_and_a_file_without_a_size_by_what_it_holds(tmp_path: Path) -> None:
    huge = tmp_path / "config.json"
    with huge.open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room
    sentence = f"the config {shown(str(tmp_path), 120)} has 1,000,000,000,000 bytes: it must have at most 1,000,000"
    assert refusal(from_hf_config, tmp_path) == sentence
    assert refusal(lambda path: read_bytes(path, "the file", 4), Path("/proc/self/status")) == (
        "the file has 5 bytes: it must have at most 4"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{}")
    file.chmod(0)
    assert refusal(from_hf_config, file).endswith(" cannot be read: Permission denied")


def test_a_file_that_may_not_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "config.json"
    file.write_text("{}")
    monkeypatch.setattr(Path, "open", deny)
    assert refusal(from_hf_config, file).endswith('config.json" cannot be read: Permission denied')
    monkeypatch.setattr(Path, "is_file", deny)
    assert refusal(from_pretrained, tmp_path) == "slimlm.json cannot be read: Permission denied"
    monkeypatch.setattr(Path, "is_dir", deny)
    assert refusal(from_hf_config, file).endswith(" cannot be read: Permission denied")


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
def test_on_the_command_line_it_is_a_sentence_too(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with odd_files(tmp_path) as files:
        assert main(["inspect", str(files[kind])]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("slimlm: ") and told.err.count("\n") == 1


# The pages.


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"model_type": "llama", "hidden_size": 64, "hidden_size": 128}', 'the config gives "hidden_size" twice'),
        ("[" * 200_000, "the config is nested too deeply"),
        ('{"model_type": "\\ud800\\u202e"}', 'model_type="\\ud800\\u202e" is not supported: slimlm reads '),
        ('{"model_type": "llama", "vocab_size": %s}' % ("9" * 5000), "the config holds a number of 5,000 digits"),
    ],
)
def test_a_page_keeps_its_model_when_a_file_is_refused(text: str, sentence: str) -> None:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/inspect.py")
    page.query_params["model"] = "gpt2"
    title = chart_title(page.run())
    page.text_area(key="config_text").input(text)
    next(button for button in page.button if button.label == "Read the text").click().run()
    assert not page.exception
    assert unescaped(page.error[0].value).startswith(sentence)
    assert chart_title(page) == title and page.query_params["model"] == "gpt2"


# Their parts.


def test_many_names_are_named_in_short() -> None:
    assert named({"b", "a"}) == "'a', 'b'"
    assert named(str(number) for number in range(9)) == "'0', '1', '2' and 6 more"
    assert named(["x" * 100]) == f"'{'x' * 36}..."


def test_a_name_is_one_visible_line() -> None:
    assert one_line("a\u202e\n\ud800 b\0", 40) == "a b"
    assert one_line("x" * 100, 40) == "x" * 40


def test_a_number_of_many_digits_is_read_up_to_a_limit() -> None:
    assert read_json("9" * 400, "it", 1000) == int("9" * 400)
    with pytest.raises(ValueError, match=r"^it holds a number of 401 digits: it must have at most 400$"):
        read_json("9" * 401, "it", 1000)
