"""An exported model with its tokenizer: transformers gives the same ids and logits, and ends with a document."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from slimlm.data.hf_tokenizer import export_tokenizer
from slimlm.model.pretrained import export_pretrained
from tests.evaluation.toys import SENTENCES, model_of, tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = model_of()
    path = export_pretrained(model, tmp_path_factory.mktemp("exported"))
    return export_tokenizer(tokenizer(), path, max_seq_length=model.architecture.max_seq_length)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> PreTrainedTokenizerFast:
    loaded = AutoTokenizer.from_pretrained(folder)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


def test_auto_classes_give_the_same_ids_and_logits(folder: Path, theirs: PreTrainedTokenizerFast) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    for sentence in SENTENCES[::20]:
        ids = theirs(sentence, return_tensors="pt").input_ids
        assert ids[0].tolist() == tokenizer().encode(sentence)
        with torch.no_grad():
            torch.testing.assert_close(model(ids).logits, model_of()(ids)[0], rtol=1e-4, atol=1e-4)


@given(text=st.text("adeght ,.\n\t\u00a0é’😀<|>", max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_has_the_same_ids_and_comes_back(theirs: PreTrainedTokenizerFast, text: str) -> None:
    ids = theirs(text).input_ids
    assert ids == tokenizer().encode(text)
    assert theirs.decode(ids) == text


def test_generation_starts_and_ends_with_a_document(folder: Path, theirs: PreTrainedTokenizerFast) -> None:
    bos = tokenizer().bos_id
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.model_max_length) == (bos, bos, 48)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert (model.generation_config.bos_token_id, model.generation_config.eos_token_id) == (bos, bos)
    assert (model.config.bos_token_id, model.config.eos_token_id) == (bos, bos)


def test_a_tokenizer_needs_no_model_beside_it(tmp_path: Path) -> None:
    export_tokenizer(tokenizer(), tmp_path / "new")
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    assert "model_max_length" not in json.loads((tmp_path / "new" / "tokenizer_config.json").read_text())


def test_a_config_that_is_none_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(
        ValueError, match=r"^config.json is not the config of a model: an object with fields and values"
    ):
        export_tokenizer(tokenizer(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^folder='.*file' cannot be written: .*; another folder would work$"):
        export_tokenizer(tokenizer(), tmp_path / "file")
