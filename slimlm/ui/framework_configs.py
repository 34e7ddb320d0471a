"""Config snippets for Hugging Face, Megatron-LM and litgpt."""

import json
from collections.abc import Callable

import streamlit as st

from slimlm.core.architecture import Architecture
from slimlm.core.families import MODEL_FAMILIES, in_family
from slimlm.core.named_model import NamedModel, Subject
from slimlm.interop.hf import no_class_sentence, to_hf_config
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments
from slimlm.serialization.code import export_command, python_code
from slimlm.ui.frame import apply_request
from slimlm.utils.text import plain


def _config_json(arch: Architecture) -> str:
    return json.dumps(to_hf_config(arch), indent=2)


_OTHERS: dict[str, tuple[Callable[[Architecture], str], str]] = {
    "Megatron-LM": (megatron_arguments, "bash"),
    "litgpt": (litgpt_config, "yaml"),
}


def show_framework_configs(subject: Subject) -> None:
    """Show the config of each framework, or why it cannot express the architecture."""
    first, *others = st.tabs(["Hugging Face config.json", *_OTHERS])
    with first:
        _show_hugging_face(subject)
    for tab, (write, language) in zip(others, _OTHERS.values(), strict=True):
        with tab:
            try:
                st.code(write(subject.architecture), language=language, wrap_lines=True)
            except ValueError as error:
                st.info(plain(f"{error}."), icon=":material/info:")


def _show_hugging_face(subject: Subject) -> None:
    refusal = no_class_sentence(subject.architecture)
    if refusal:
        st.info(plain(refusal), icon=":material/info:")
        _offer_families(subject)
        st.caption("slimlm's own format holds every design:")
        st.code(_snippet(subject, "save_pretrained"), language="python", wrap_lines=True)
        return
    st.code(_config_json(subject.architecture), language="json", wrap_lines=True)
    st.caption("The checkpoint, in Python or as a command:")
    st.code(_snippet(subject, "export_pretrained"), language="python", wrap_lines=True)
    st.code(export_command(subject), language="bash", wrap_lines=True)


def _offer_families(subject: Subject) -> None:
    """Offer a button for each family in the refusal that changes the request."""
    if isinstance(subject, NamedModel) or st.context.is_embedded:
        return
    row = st.container(horizontal=True)
    for name in ("llama", "gpt2"):
        row.button(
            f"Switch to {MODEL_FAMILIES[name].label}",
            key=f"switch_{name}",
            on_click=apply_request,
            args=(in_family(subject.config, name),),
            icon=":material/auto_fix_high:",
        )


def _snippet(subject: Subject, write: str) -> str:
    """Return Python code that builds the model and writes it into a folder with a function of slimlm."""
    source = "architecture" if isinstance(subject, NamedModel) else "design"
    return f'{python_code(subject, "LanguageModel", write)}\n\n{write}(LanguageModel({source}), "folder")'
