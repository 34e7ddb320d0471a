"""A bare page to compare the app with: the same widgets, one chart of five bars, torch imported, nothing else done."""

import gc

import altair as alt
import pandas as pd
import streamlit as st
import torch  # noqa: F401  (its presence is what makes collections slow)

from slimlm.serialization import fields

NUMBERS = (fields.DEPTH, fields.LENGTH, fields.OFFSET, *fields.REGULARISATION)


@st.cache_resource(show_spinner=False)
def freeze_imports() -> None:
    gc.collect()
    gc.freeze()


def number(knob: fields.Knob) -> None:
    st.number_input(knob.label, 0, 10**9, 1, help=knob.help)


def choice(knob: fields.Knob) -> None:
    st.selectbox(knob.label, list(knob.words.values()), help=knob.help)


st.set_page_config(page_title="floor", layout="wide")
freeze_imports()
with st.sidebar:
    st.popover("Presets")
    with st.container(horizontal=True):
        st.link_button("Design", "/")
        for page in ("Sweep", "Inspect", "Compare"):
            st.link_button(page, "/")
    values = []
    for knob in (*fields.SLIDERS, fields.HEADS):
        wide, narrow = st.columns([0.66, 0.34])
        label, stops, default = knob.label, knob.options, knob.default
        values.append(wide.select_slider(label, stops, default, knob.write, help=knob.help))
        narrow.text_input(f"{label}, exact", knob.write(values[-1]), label_visibility="collapsed")
    st.toggle(fields.TIED.label, value=True, help=fields.TIED.help)
    with st.expander("Architecture"):
        for knob in fields.STRUCTURE:
            choice(knob)
        for knob in (fields.KV_HEADS, fields.HEAD_DIM, fields.ROPE_BASE):
            number(knob)
    with st.expander("More choices"):
        for knob in NUMBERS:
            number(knob)
        choice(fields.BLOCK)
        st.select_slider(fields.ALIGNMENT.label, fields.ALIGNMENTS, help=fields.ALIGNMENT.help)
        for knob in fields.EXTRAS:
            st.toggle(knob.label, help=knob.help)
total, vocabulary, ratio, expansion = (float(value) for value in values[:4])
frame = pd.DataFrame(
    {"part": list("abcde"), "value": [total / 1e6, vocabulary / 1e4, 100 * ratio, 10 * expansion, 1.0]}
)
bars = alt.Chart(frame).encode(x=alt.X("value:Q", scale=alt.Scale(domain=[0, 100])), y=alt.Y("part:N", sort=None))
labelled = bars.mark_bar() + bars.mark_text(align="left").encode(text="value:Q")
st.altair_chart(labelled.properties(title=f"{total} {vocabulary} {ratio} {expansion}"))
