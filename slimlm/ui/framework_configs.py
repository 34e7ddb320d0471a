"""Config snippets for Hugging Face, Megatron-LM and litgpt."""

import json
from collections.abc import Callable

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.interop.hf import native_class, to_hf_config
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from slimlm.utils.text import plain

_EXPORT = """\
from slimlm import LanguageModel, export_pretrained

export_pretrained(LanguageModel(design), "folder")  # config.json, model.safetensors, generation_config.json"""

_SAVE = """\
from slimlm import LanguageModel, save_pretrained

save_pretrained(LanguageModel(design), "folder")  # slimlm's own format, for every design"""


def _config_json(arch: Architecture) -> str:
    return json.dumps(to_hf_config(arch), indent=2)


_FRAMEWORKS: dict[str, tuple[Callable[[Architecture], str], str]] = {
    "Hugging Face config.json": (_config_json, "json"),
    "Megatron-LM": (megatron_arguments, "bash"),
    "litgpt": (litgpt_config, "yaml"),
}


def show_framework_configs(arch: Architecture) -> None:
    """Show the config of each framework, or why it cannot express the architecture."""
    for tab, (write, language) in zip(st.tabs(list(_FRAMEWORKS)), _FRAMEWORKS.values(), strict=True):
        with tab:
            try:
                st.code(write(arch), language=language, wrap_lines=True)
            except ValueError as error:
                st.info(plain(f"{error}."), icon=":material/info:")
            if write is _config_json:
                _show_weights(arch)


def _show_weights(arch: Architecture) -> None:
    try:
        native_class(arch)
    except ValueError:
        st.code(_SAVE, language="python")
    else:
        st.code(_EXPORT, language="python")
