"""`export_pretrained`: transformers loads what is exported, answers alike and trains it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.interop.hf.export_config import native_class
from slimlm.model.pretrained import export_pretrained
from tests.native import BY_TITLE, SMALL_LLAMA, built, of_class, some_ids


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower, by far, on threads that wait for a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def in_transformers(folder: Path | str) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("title", BY_TITLE)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_transformers_answers_alike(title: str, data: st.DataObject) -> None:
    torch.manual_seed(0)
    arch = data.draw(of_class(BY_TITLE[title]))
    model = built(arch)
    with TemporaryDirectory() as folder:
        theirs = in_transformers(export_pretrained(model, folder))
    ids = some_ids(arch)
    assert type(theirs).__name__ == native_class(arch).name
    assert sum(parameter.numel() for parameter in theirs.parameters()) == count_total(arch)
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, model(ids)[0], rtol=0, atol=1e-4)


def typical(title: str) -> Architecture:
    """Return one architecture of a class, without dropout, with several heads."""
    native = BY_TITLE[title]
    words = {name: options[0] for name, options in native.needs.items() if not callable(options)}
    heads = {"n_heads": 4, "n_kv_heads": 2, "head_dim": 4, "d_model": 18 if title == "Mistral" else 16}
    own: dict[str, Any] = {"Phi-3": {"rotary_share": 0.5}, "Granite": {"residual_scale": 0.5}}.get(title, {})
    arch = Architecture(**{**SMALL_LLAMA.concrete(), **words, **heads, **own})
    return replace(arch, **(native.changes(arch) or {}))


@pytest.mark.parametrize("title", BY_TITLE)
def test_transformers_trains_what_was_exported(title: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    arch = typical(title)
    model = in_transformers(export_pretrained(built(arch, std=0.1), tmp_path)).train()
    assert native_class(arch).title == title
    ids = torch.arange(16).remainder(5).repeat(4, 1)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.01
    assert all((parameter != before[name]).any() for name, parameter in model.named_parameters())


def test_transformers_generates_from_what_was_exported(tmp_path: Path) -> None:
    model = in_transformers(export_pretrained(built(SMALL_LLAMA), tmp_path))
    ids = some_ids(SMALL_LLAMA)[:1, :4]
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape == (1, 7)


def test_an_export_has_its_files_and_a_tied_head_once(tmp_path: Path) -> None:
    folder = export_pretrained(built(SMALL_LLAMA, torch.bfloat16), tmp_path / "new" / "folder")
    assert {file.name for file in folder.iterdir()} == {"config.json", "generation_config.json", "model.safetensors"}
    assert json.loads((folder / "config.json").read_text())["torch_dtype"] == "bfloat16"
    weights = load_file(folder / "model.safetensors")
    assert "lm_head.weight" not in weights
    assert sum(weight.numel() for weight in weights.values()) == count_total(SMALL_LLAMA)
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert in_transformers(folder).dtype == torch.bfloat16


def test_an_export_without_a_class_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no class in transformers; positions='rope' leads to StableLM"):
        export_pretrained(built(), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
