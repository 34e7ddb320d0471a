"""Texts of configs, as people have them: read where they have one meaning, else refused with line and reason."""

import json
import pprint
import time
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig

from slimlm.interop.config_text import MAX_BYTES, read_config_text
from slimlm.interop.hf import parse_hf_config

SMALL = {"hidden_size": 512, "rope_scaling": None, "tie_word_embeddings": True, "rms_norm_eps": 1e-06}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SMALL),
        f"LlamaConfig {json.dumps(SMALL, indent=2)}\n",
        f"[INFO|configuration_utils.py:733] 2024-01-01 >> Model config LlamaConfig {json.dumps(SMALL, indent=2)}",
        f"# a comment of mlc\n\n{json.dumps(SMALL)}",
        f"// from the hub\n{json.dumps(SMALL, indent=1)}\n// the end",
        json.dumps(SMALL, indent=1).replace("512,", "512, // the width").replace("null,", "null, # none"),
        json.dumps(SMALL, indent=1).replace("\n}", ",\n}"),
        json.dumps(SMALL).replace(" ", "\t"),
        json.dumps(SMALL).replace(" ", "\u00a0"),
        json.dumps(SMALL, indent=1).replace("\n", "\r\n"),
        f"\ufeff{json.dumps(SMALL)}",
        f"```json\n{json.dumps(SMALL, indent=1)}\n```\n",
        repr(SMALL),
        pprint.pformat(SMALL),
        f"config = {SMALL!r}",
        "dict(hidden_size=512, rope_scaling=None, tie_word_embeddings=True, rms_norm_eps=1e-06)",
        "LlamaConfig(\n    hidden_size=512,\n    rope_scaling=None,\n    tie_word_embeddings=True,\n"
        "    rms_norm_eps=1e-6,  # default\n)",
        "hidden_size = 512\nrope_scaling = None\ntie_word_embeddings = True # tied\nrms_norm_eps = 1e-6\n",
        '"""Sizes."""\nimport math\n\nhidden_size = 2 * 256\nrope_scaling = None\ntie_word_embeddings = True\n'
        "rms_norm_eps = 1e-6",
        "@dataclass\nclass Sizes:\n    hidden_size: int = 512\n    rope_scaling: Optional[dict] = None\n"
        "    tie_word_embeddings: bool = True\n    rms_norm_eps: float = 1e-6\n",
        "---\nhidden_size: 512 # wide\nrope_scaling: null\ntie_word_embeddings: true\nrms_norm_eps: 1e-6\n",
        "hidden_size: 512\nrope_scaling: ~\n\ntie_word_embeddings: True\nrms_norm_eps: 1.0e-06\n",
        "{hidden_size: 512, rope_scaling: null, tie_word_embeddings: true, rms_norm_eps: 1e-6}",
    ],
)
def test_a_config_is_read_in_every_form(text: str) -> None:
    assert read_config_text(text) == SMALL
    assert read_config_text(text.encode()) == SMALL


@pytest.mark.parametrize("model_type", ["llama", "mpt", "gemma3_text"])
def test_what_transformers_prints_is_read(model_type: str) -> None:
    config = AutoConfig.for_model(model_type)
    assert read_config_text(str(config)) == json.loads(config.to_json_string())
    python = json.loads(config.to_json_string(use_diff=False))
    assert read_config_text(repr(python)) == python


def test_the_escapes_of_python_and_of_json_are_read() -> None:
    text = r"""{'a': 'it\'s "so"', "b": "\u00e9\ud83d\ude00\/", 'c': 'tab\there\x41', 'd': "a	b"}"""
    assert read_config_text(text) == {"a": 'it\'s "so"', "b": "é😀/", "c": "tab\thereA", "d": "a\tb"}
    assert read_config_text("{'dtype': torch.bfloat16, 'k': (1, 2), 0: -Infinity}") == {
        "dtype": "bfloat16",
        "k": [1, 2],
        "0": float("-inf"),
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the config is empty: the text of a config.json would work"),
        (" \n\t\n", "the config is empty: the text of a config.json would work"),
        (
            '<<<<<<< HEAD\n{"a": 1}\n=======\n{"a": 2}\n>>>>>>> main\n',
            "the config cannot be read: line 1 is the mark of a merge conflict (<<<<<<< HEAD): keep one side without "
            "the marks",
        ),
        (
            '{\n"a": 1,\n>>>>>>> main\n}',
            "the config cannot be read: line 3 is the mark of a merge conflict (>>>>>>> main): keep one side without "
            "the marks",
        ),
        (
            '{"a": "\x00"}',
            "the config cannot be read: line 1 holds the control character U+0000: the text without it would work",
        ),
        (
            "a: 1\nb: \x1b[0m\n",
            "the config cannot be read: line 2 holds the control character U+001B: the text without it would work",
        ),
        ('{\n"a": 1', "the config cannot be read: line 2 ends before the { of line 1 is closed"),
        ('{"a":', "the config cannot be read: line 1 ends where a value was expected"),
        ('{"a": ]}', 'the config cannot be read: line 1 has "]" where a value was expected'),
        ('{"a" 1}', 'the config cannot be read: line 1 has no : after the key "a"'),
        ('{\n"a": 1\n"b": 2}', 'the config cannot be read: line 3 has "\\"b\\"" where a comma or } was expected'),
        ("{[1]: 2}", 'the config cannot be read: line 1 has "[" where a key was expected'),
        (
            '{"a": foo}',
            'the config cannot be read: line 1 has the word "foo" where a value was expected: a text stands ',
        ),
        ('{"a": “b”}', "the config cannot be read: line 1 has the typographic quote “: straight quotes would work"),
        ('{"a": "b\n}', "the config cannot be read: line 1 opens a quote that it does not close: "),
        (r"{'a': '\q'}", "the config cannot be read: line 1 has a backslash that starts no known character in "),
        ("{'a': 1; 'b': 2}", "the config cannot be read: line 1 has \"; 'b': 2}\" where a key or a value was expected"),
        (
            "{'a': 1,} {'a': 2}",
            'the config cannot be read: line 1 goes on with "{" after the config: keep one config al',
        ),
        ("{'a': 1, 'a': 2}", 'the config gives "a" twice: keep one of them'),
        ("a: 1\na: 2", 'the config gives "a" twice: keep one of them'),
        ("{'a': 2 * 'b'}", 'the config cannot be read: line 1 multiplies "b": a number would work'),
        ("['a',]", 'the config is ["a"]: a config.json holds an object such as {...}'),
        ("{'a': %s}" % ("[" * 70), "the config is nested too deeply: it must have at most 64 objects and lists"),
        ("{'a': %s}" % ("9" * 500), "the config holds a number of 500 digits: it must have at most 400"),
        ("a: %s" % ("9" * 500), "the config holds a number of 500 digits: it must have at most 400"),
        ("a: 1\nhello", 'the config cannot be read: line 2 is "hello", which is no key: value'),
        ("a: 1\n   b: 2", "the config cannot be read: line 2 is indented more than the line before it"),
        ("  a: 1\nb: 2", "the config cannot be read: line 2 is indented less than the lines before it"),
        ("a:\n\tb: 2", "the config cannot be read: line 2 is indented by a tab: spaces would work"),
        ("a: [1, 2", "the config cannot be read: line 1 ends before the [ of line 1 is closed"),
        (
            "n = 1\nprint(n)",
            'the config cannot be read: line 2 does not give a name a plain value: "print" … is no line ',
        ),
        ("n = m", 'the config cannot be read: line 1 has the word "m" where a value was expected'),
        (
            "hello\nthere",
            'the config cannot be read: line 1 is "hello", which starts no JSON, no Python dict and no key: ',
        ),
        (
            "\n\n<html>",
            'the config cannot be read: line 3 is "<html>", which starts no JSON, no Python dict and no key: v',
        ),
        (
            "# only comments\n",
            'the config cannot be read: line 1 is "# only comments", which starts no JSON, no Python ',
        ),
    ],
)
def test_a_text_with_no_single_meaning_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        read_config_text(text)
    assert str(caught.value).startswith(sentence)


def test_the_yaml_that_litgpt_writes_is_read_as_pyyaml_reads_it() -> None:
    config = {
        "name": "pythia-14m",
        "hf_config": {"name": "pythia-14m", "org": "EleutherAI"},
        "scale_embeddings": False,
        "attention_scores_scalar": None,
        "rope_indices": [1, 1, 0],
        "rope_adjustments": {"factor": 32.0, "original_max_seq_len": 8192},
        "norm_eps": 1e-05,
        "bias": True,
        "n_embd": 128,
        "empty": {},
        "text": "a: b # c",
        "quoted": "true",
    }
    text = yaml.dump(config)
    assert read_config_text(text) == yaml.safe_load(text) == config


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.none() | st.booleans() | st.integers()
                       | st.floats(allow_nan=False, allow_infinity=False)
                       | st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True), min_size=1))  # fmt: skip
def test_flat_yaml_and_python_are_read_as_their_own_readers_read_them(config: dict[str, Any]) -> None:
    assert read_config_text(repr(config)) == config
    assert read_config_text(json.dumps(config)) == config
    assert read_config_text("\n".join(f"{key} = {value!r}" for key, value in [*config.items(), ("z9", 1)])) == (
        config | {"z9": 1}
    )
    text = yaml.dump(config)
    assert read_config_text(text) == yaml.safe_load(text) == config


PIECES = ["{", "}", "[", "]", "(", ")", '"', "'", ":", ",", "=", "#", "//", "\n", "\t", " ", "\\", "\0", "\r", "*", "-"]
PIECES += [
    "NaN",
    "None",
    "true",
    "1e999",
    "9" * 999,
    "- ",
    "---",
    "```",
    "<<<<<<<",
    "Config {",
    "\ufeff",
    "\ud800",
    '"""',
]
PIECES += ["class A:", "import x\n", "@dataclass", "[[[[[[[[" * 20, "torch.", "“", "\x85", "\u2028", ".", "e"]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_text_is_read_or_refused_in_one_sentence(data: st.DataObject) -> None:
    forms = [json.dumps(SMALL, indent=1), repr(SMALL), yaml.dump(SMALL), "a = 1\nb: int = 2\n", "A {'b': [1, 2]}"]
    text = data.draw(st.sampled_from(forms))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.sampled_from(PIECES)) + text[place + data.draw(st.integers(0, 6)) :]
    check_outcome(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=50))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    check_outcome(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_sentence(data: bytes) -> None:
    check_outcome(data)


def check_outcome(text: str | bytes) -> None:
    try:
        assert isinstance(parse_hf_config(text), dict)
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) < 400, repr(str(error))
        assert "Expecting" not in str(error) and "char " not in str(error), "a parser's words"


LONG = MAX_BYTES // 5


@pytest.mark.parametrize(
    "piece",
    ["{", "[", "(", "9", ".", " ", "a", "a ", "a:", "a: ", "- ", "=", '"', "'", "\\", "#", "//", "\n", "*", "a=1 ", "`",
     "Config", "x Config", "import ", "class a:", "\t", "{'a':", "a:\n ", "[1,", "1*", '"""', "from a import "],
)  # fmt: skip
def test_a_long_text_takes_no_longer_than_its_length_allows(piece: str) -> None:
    start = time.process_time()
    for head in ("", "{'a': ", "a: ", "a = "):
        check_outcome((head + piece * LONG)[:LONG])
    assert time.process_time() - start < 5


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the config has 1,000,001 characters: it must have at most 1,000,000$"):
        read_config_text(" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match=r"^the config is not UTF-8 text: byte 7 cannot be read$"):
        read_config_text(b"{'a': '\xff'}")
