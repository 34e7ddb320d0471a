"""Folders of models that are broken or made to do harm: a sentence each, and nothing is unpickled."""

import json
import os
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from slimlm.interop.hf import from_hf_config
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import from_pretrained, save_pretrained
from tests.native import SMALL
from tests.test_hostile_files import refusal


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    return save_pretrained(LanguageModel(SMALL), tmp_path / "model")


def header(fields: object, length: int | None = None) -> bytes:
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


ONE = {"final_norm.weight": {"dtype": "F32", "shape": [12], "data_offsets": [0, 48]}}
TWO = ONE | {"final_norm.bias": {"dtype": "F32", "shape": [12], "data_offsets": [24, 72]}}
WEIGHTS = {
    "empty": b"",
    "short": b"\x01\x02",
    "an absurd header": header(b"{}", 2**60),
    "a header of all ones": header(b"{}", 2**64 - 1),
    "no JSON": header(b"{" * 100),
    "not UTF-8": header(b'{"\xff": 1}'),
    "deeply nested": header(b'{"a":' * 100_000),
    "overlapping": header(TWO) + bytes(72),
    "beyond the end": header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
    "an overflowing shape": header({"a": {"dtype": "F32", "shape": [2**33, 2**33], "data_offsets": [0, 4]}}) + bytes(4),
    "a negative shape": header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}) + bytes(4),
    "an unknown type": header({"a": {"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 4]}}) + bytes(4),
    "too few tensors": header(ONE) + bytes(48),
    "bytes without a tensor": header(ONE) + bytes(4096),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_broken_are_refused(kind: str, saved: Path) -> None:
    (saved / "model.safetensors").write_bytes(WEIGHTS[kind])
    assert refusal(from_pretrained, saved).startswith("model.safetensors ")


def test_weights_that_are_cut_off_or_damaged_anywhere_in_the_header_are_read_or_refused(saved: Path) -> None:
    file = saved / "model.safetensors"
    whole, draw, refused = file.read_bytes(), random.Random(3), 0
    size = 8 + struct.unpack("<Q", whole[:8])[0]
    for end in range(0, size, size // 40):
        file.write_bytes(whole[:end])
        assert refusal(from_pretrained, saved).startswith("model.safetensors ")
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(size)] = draw.randrange(256)
        file.write_bytes(damaged)
        try:
            from_pretrained(saved)
        except ValueError as error:
            assert len(str(error)) < 500
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("name", ["slimlm.json", "model.safetensors"])
def test_no_file_of_a_model_is_opened_that_is_none(name: str, saved: Path) -> None:
    for target in ("/dev/zero", "/dev/tty"):
        (saved / name).unlink()
        (saved / name).symlink_to(target)
        assert f" holds no {name}; a folder that save_pretrained wrote" in refusal(from_pretrained, saved)


class Harm:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


PICKLED = ("pytorch_model.bin", "model.pt", "model.safetensors", "slimlm.json", "config.json", "consolidated.00.pth")


@pytest.mark.parametrize("name", PICKLED)
@pytest.mark.parametrize("write", [lambda harm, file: file.write_bytes(pickle.dumps(harm)), torch.save])
def test_nothing_is_unpickled_whatever_it_is_called(name: str, write: Callable[..., object], saved: Path) -> None:
    trace = saved / "trace"
    write(Harm(trace), saved / name)
    for read in (from_pretrained, from_hf_config, lambda path: from_hf_config(path / name)):
        try:
            read(saved)
        except ValueError as error:
            assert str(error).isprintable()
    assert not trace.exists()


def test_an_index_is_not_followed_out_of_the_folder(saved: Path) -> None:
    outside = saved.parent / "outside.safetensors"
    (saved / "model.safetensors").rename(outside)
    weights = {"final_norm.weight": "../outside.safetensors", "lm_head.weight": "../../etc/passwd"}
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    assert "holds no model.safetensors; a folder that save_pretrained wrote" in refusal(from_pretrained, saved)


def test_a_key_of_a_model_that_is_given_twice_is_refused(saved: Path) -> None:
    file = saved / "slimlm.json"
    file.write_text(file.read_text().replace('"d_model": 12', '"d_model": 24, "d_model": 12'))
    with pytest.raises(ValueError, match=r'^slimlm.json gives "d_model" twice: keep one of them$'):
        from_pretrained(saved)
