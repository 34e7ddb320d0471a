"""What cannot be the text or the file of a Hugging Face config is said in one sentence."""

from pathlib import Path
from typing import Any

import pytest

from slimlm.interop.hf import MAX_BYTES, from_hf_config, parse_hf_config


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("missing.json", '^the config "missing.json" cannot be read: No such file or directory$'),
        (Path("empty"), '^the config "empty" cannot be read: No such file or directory$'),
        ("nothing\0more", r'^the config "nothing\\u0000more" cannot be read: embedded null byte$'),
        ("x" * 5000, r'^the config "x{116}\.\.\. cannot be read: File name too long$'),
        ("long", '^the config "long" has 1,000,001 bytes: it must have at most 1,000,000$'),
        ("list.json", r"^the config is \[\]: a config.json holds an object such as \{\.\.\.\}$"),
        (3, "^a config of type int is not allowed: it must be a mapping or a path$"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    source: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "long"):
        Path(folder).mkdir()
    Path("list.json").write_text("[]", encoding="utf-8")
    Path("long", "config.json").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match=sentence):
        from_hf_config(source)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "^the config is empty: the text of a config.json would work$"),
        (b'{"a": "\xff"}', "^the config is not UTF-8 text: byte 7 cannot be read$"),
        ("{}".encode("utf-16"), "^the config is not UTF-8 text: byte 0 cannot be read$"),
        ("[1, 2]", r"^the config is \[1, 2\]: a config.json holds an object such as \{\.\.\.\}$"),
        ("null", r"^the config is null: a config.json holds an object such as \{\.\.\.\}$"),
        ('{"a": 1, "a": 2}', '^the config gives "a" twice: keep one of them$'),
        ('{"b": {"a": 1, "a": 1}}', '^the config gives "a" twice: keep one of them$'),
        (
            '{"a":' * 100_000,
            "^the config is nested too deeply: it must have at most 64 objects and lists in each other$",
        ),
        ('{"a": %s}' % ("9" * 5000), "^the config holds a number of 5,000 digits: it must have at most 400$"),
        ("{}" + " " * MAX_BYTES, "^the config has 1,000,002 characters: it must have at most 1,000,000$"),
    ],
)
def test_a_text_that_is_no_config_is_refused(text: str | bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_hf_config(text)


def test_a_text_at_the_limit_is_read() -> None:
    assert parse_hf_config('{"model_type": "gpt2"}'.ljust(MAX_BYTES)) == {"model_type": "gpt2"}
    assert parse_hf_config(b'\xef\xbb\xbf{"a": NaN}').keys() == {"a"}
