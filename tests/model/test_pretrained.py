"""Models on disk: what `save_pretrained` writes comes back bit by bit; what does not fit is refused in a sentence."""

import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.model.language_model import LanguageModel
from slimlm.model.pretrained import MAX_BYTES, export_pretrained, from_pretrained, save_pretrained
from tests.model.test_building import Recorder
from tests.native import SMALL, SMALL_LLAMA, built, some_ids
from tests.strategies import architectures, mixtures


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower, by far, on threads that wait for a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Saved and loaded


def same_bits(model: LanguageModel, other: LanguageModel) -> bool:
    mine, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    return mine.keys() == theirs.keys() and all(
        weight.dtype == theirs[name].dtype and torch.equal(weight, theirs[name]) for name, weight in mine.items()
    )


@given(
    arch=architectures() | mixtures(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64]),
)
@settings(max_examples=30, deadline=None)
def test_every_architecture_comes_back_bit_by_bit(arch: Architecture, dtype: torch.dtype) -> None:
    sizes = {"vocab_size": 500, "max_seq_length": 32, "d_ff": 100}
    arch = replace(arch, **{name: min(size, getattr(arch, name)) for name, size in sizes.items()})
    model = built(arch, dtype)
    with TemporaryDirectory() as folder:
        found = from_pretrained(save_pretrained(model, folder))
        assert {file.name for file in Path(folder).iterdir()} == {"model.safetensors", "slimlm.json"}
    assert found.architecture == arch
    assert found.config is None
    assert same_bits(found, model)
    assert (found.lm_head.weight is found.token_embedding.weight) == arch.tied_lm_head
    assert all(parameter.requires_grad for parameter in found.parameters())
    assert not found.training
    ids = some_ids(arch)
    # Not to the last bit: sums run in another order over weights at addresses of another alignment.
    torch.testing.assert_close(found(ids)[0], model(ids)[0], equal_nan=True)


def test_the_request_comes_back_with_the_model(tmp_path: Path) -> None:
    config = ModelConfig(total_params=200_000, vocab_size=500, n_heads=4)
    model = LanguageModel(config)
    found = from_pretrained(save_pretrained(model, tmp_path))
    assert found.config == config
    assert found.architecture == model.architecture


@pytest.mark.parametrize("arch", [SMALL, replace(SMALL, tied_lm_head=False)])
def test_loading_allocates_nothing_but_other_types(arch: Architecture, tmp_path: Path) -> None:
    model = built(arch)
    save_pretrained(model, tmp_path)
    with Recorder() as recorder:
        found = from_pretrained(str(tmp_path))
    assert recorder.allocated == 0
    assert same_bits(found, model)
    with Recorder() as recorder:
        narrow = from_pretrained(tmp_path, device="cpu", dtype=torch.bfloat16)
    assert recorder.allocated == count_total(arch)
    assert same_bits(narrow, model.to(torch.bfloat16))


def test_a_loaded_model_outlives_its_folder_and_can_be_saved_over_it(tmp_path: Path) -> None:
    model = built()
    first = from_pretrained(save_pretrained(model, tmp_path))
    save_pretrained(built(), tmp_path)
    assert same_bits(first, model)
    save_pretrained(first, tmp_path)
    assert same_bits(from_pretrained(tmp_path), model)
    for file in tmp_path.iterdir():
        file.unlink()
    with torch.no_grad():
        first.token_embedding.weight.add_(1)
    assert torch.equal(first.lm_head.weight, model.lm_head.weight + 1)


# What cannot be saved


@pytest.mark.parametrize("save", [save_pretrained, export_pretrained])
def test_a_model_without_weights_is_refused(save: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a model on the meta device has no weights to save; one built with device="):
        save(LanguageModel(SMALL_LLAMA, device="meta"), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("save", [save_pretrained, export_pretrained])
def test_a_file_in_the_place_of_the_folder_is_refused(save: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"^folder='.*file' is a file, and a model needs a folder; the name of a folder would"
    ):
        save(built(SMALL_LLAMA), tmp_path / "file")


# What cannot be loaded


def edited(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Change the record of a saved model."""
    file = folder / "slimlm.json"
    record = json.loads(file.read_text())
    edit(record)
    file.write_text(json.dumps(record))
    return folder


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_pretrained(LanguageModel(SMALL), tmp_path)


REQUEST = asdict(ModelConfig(total_params=1_000_000))

EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    r"^slimlm.json is not a model saved by slimlm; its JSON would hold format='slimlm-model-1'$": (
        lambda record: record.update(format="slimlm-model-9")
    ),
    "^the saved model has unknown fields: 'pickle'$": lambda record: record.update(pickle="gASV"),
    "^the saved model has missing fields: 'request'$": lambda record: record.pop("request"),
    "^the saved architecture has unknown fields: 'd_out', 'n_hashes'$": (
        lambda record: record["architecture"].update(n_hashes=8, d_out=4)
    ),
    "^the saved architecture has missing fields: 'd_model', 'rope_theta'$": (
        lambda record: [record["architecture"].pop(name) for name in ("rope_theta", "d_model")]
    ),
    "^the saved architecture must be an object of fields and their values$": (
        lambda record: record.update(architecture=[1, 2])
    ),
    "^the saved request must be an object of fields and their values$": lambda record: record.update(request="small"),
    "^d_model=-12 is not allowed: it must be a whole number between 1 and": (
        lambda record: record["architecture"].update(d_model=-12)
    ),
    r"^the saved request does not fit the saved architecture: vocab_size=16000 is .*; request=null would work$": (
        lambda record: record.update(request=REQUEST)
    ),
    r"^token_embedding.weight of shape \(40, 12\) must have shape \(41, 12\), as the saved architecture says$": (
        lambda record: record["architecture"].update(vocab_size=41)
    ),
    "^model.safetensors lacks tensors of the saved architecture: lm_head.weight, …$": (
        lambda record: record["architecture"].update(tied_lm_head=False)
    ),
    "^model.safetensors lacks tensors of the saved architecture: blocks.2.attention.q_proj.weight, blocks.3.": (
        lambda record: record["architecture"].update(n_layers=10**12)
    ),
    "^model.safetensors holds 'blocks.1.[a-z_.]+', which the saved architecture does not have$": (
        lambda record: record["architecture"].update(n_layers=1)
    ),
}


@pytest.mark.parametrize("sentence", EDITS)
def test_a_record_that_does_not_fit_is_refused(sentence: str, saved: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_pretrained(edited(saved, EDITS[sentence]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "^slimlm.json is not JSON: Expecting property name"),
        ("[" * 50_000, "^slimlm.json is nested too deeply: it must have at most 64 objects and lists in each other$"),
        ("9" * 50_000, "^slimlm.json holds a number of 50,000 digits: it must have at most 400$"),
        ("\x80", "^slimlm.json is not UTF-8 text: byte 0 cannot be read$"),
        ("[]", "^slimlm.json is not a model saved by slimlm"),
        (" " * (MAX_BYTES + 1), "^slimlm.json has 100,001 bytes: it must have at most 100,000$"),
    ],
)
def test_a_file_that_is_no_record_is_refused(text: str, sentence: str, saved: Path) -> None:
    (saved / "slimlm.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=sentence):
        from_pretrained(saved)


@pytest.mark.parametrize("name", ["slimlm.json", "model.safetensors"])
def test_a_folder_without_a_file_is_refused(name: str, saved: Path) -> None:
    (saved / name).unlink()
    sentence = f"^folder={str(saved)!r} holds no {name}; a folder that save_pretrained wrote would work$"
    with pytest.raises(ValueError, match=sentence):
        from_pretrained(saved)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none' holds no slimlm.json; a folder that save_pretrained wrote would work"):
        from_pretrained(tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"final_norm.weight": torch.ones(12, dtype=torch.int32)},
            "^final_norm.weight of type I32 must hold real numbers: F64, F32, F16, BF16$",
        ),
        (
            {"final_norm.weight": torch.ones(1, 12)},
            r"^final_norm.weight of shape \(1, 12\) must have shape \(12,\), as",
        ),
        (
            {f"blocks.{'9' * 5000}.ffn_norm.weight": torch.ones(12)},
            r"^model.safetensors holds 'blocks.9{29}\.\.\., which the saved architecture does not have$",
        ),
        *(
            ({name: torch.ones(12)}, f"^model.safetensors holds {re.escape(repr(name))}, which the saved architecture")
            for name in (
                "extra",
                "blocks.*.ffn_norm.weight",
                "blocks.00.ffn_norm.weight",
                "blocks.2.ffn_norm.weight",
                "blocks.-1.ffn_norm.weight",
                "blocks.²",
                "lm_head.weight",
            )
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Tensor], sentence: str, saved: Path) -> None:
    file = saved / "model.safetensors"
    save_file({**{name: weight.clone() for name, weight in load_file(file).items()}, **changes}, file)
    with pytest.raises(ValueError, match=sentence):
        from_pretrained(saved)


class Harmful:
    """Pickled, it writes a file when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def test_pickled_weights_are_not_unpickled(saved: Path) -> None:
    trace = saved / "trace"
    (saved / "model.safetensors").write_bytes(pickle.dumps(Harmful(trace)))
    with pytest.raises(ValueError, match=r"^model.safetensors cannot be read: "):
        from_pretrained(saved)
    assert not trace.exists()


def test_weights_that_are_cut_off_are_refused(saved: Path) -> None:
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"^model.safetensors cannot be read: "):
        from_pretrained(saved)


def test_a_type_that_holds_no_real_numbers_is_refused(saved: Path) -> None:
    sentence = "^dtype=torch.int64 is not allowed: weights are real numbers; dtype=torch.float32 would work$"
    with pytest.raises(ValueError, match=sentence):
        from_pretrained(saved, dtype=torch.int64)
