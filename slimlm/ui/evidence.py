"""The measured evidence nearest to a model, with a link to its study."""

import streamlit as st

from slimlm.core.named_model import Subject
from slimlm.ranking.evidence import Evidence, evidence_for
from slimlm.serialization.fields import to_short_query
from slimlm.ui import url_state
from slimlm.ui.query_params import STUDY
from slimlm.utils.text import plain


@st.cache_data(show_spinner=False, max_entries=256)
def _nearest(_subject: Subject, key: str) -> Evidence | None:
    return evidence_for(_subject)


def nearest_evidence(subject: Subject) -> Evidence | None:
    """Return what the nearest shipped study says of a model; None where none is near."""
    return _nearest(subject, repr(subject.architecture))


def show_evidence(subject: Subject) -> None:
    """Show what the nearest study has measured, and a link to it; nothing where there is none."""
    found = nearest_evidence(subject)
    if found is None:
        return
    row = st.container(horizontal=True, vertical_alignment="center", key="evidence")
    row.markdown(f":material/science: {plain(found.sentence)}", width="stretch")
    if not st.context.is_embedded:
        carried = {**url_state.others(), **to_short_query(url_state.positions()), STUDY: found.study}
        row.page_link("pages/rank.py", label="The study", icon=":material/leaderboard:", query_params=carried)
