"""Panels of the Compare page: pins, adding models, the comparison table, links and downloads."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

import streamlit as st

from slimlm.charts.comparison_strips import Measure
from slimlm.compare.comparison import Comparison, longest_context
from slimlm.compare.findings import findings
from slimlm.compare.pin_links import write_pin
from slimlm.compare.pins import LONGEST_NAME, MOST_PINS, Pin, moved_pin, pinned_as, renamed_pin, without_pin
from slimlm.compare.presets import COMPARISON_PRESETS, preset_pins
from slimlm.compare.remarks import config_remarks
from slimlm.core.describe import counted
from slimlm.core.published import published_model
from slimlm.export.comparison_tables import TABLE_STYLE, assumptions_table, differences_table, equal_table
from slimlm.interop.hf import MAX_BYTES
from slimlm.ui import query_params
from slimlm.ui.callbacks import completed
from slimlm.ui.cost_panels import cost_settings
from slimlm.ui.downloads import show_downloads
from slimlm.ui.evidence import nearest_evidence
from slimlm.ui.frame import view_in_url
from slimlm.ui.inspect_picker import KINDS, draw_published, read_config
from slimlm.ui.pins import PIN, change_pins, pin, pinned
from slimlm.utils.text import plain

MEASURE, BASELINE = "measure", "baseline"
"""Query parameters: the quantity shown as length, and the position of the baseline, counted from 1."""

_MEASURES: dict[Measure, str] = {"share": "Share of total", "params": "Parameters"}


# The pins.


def draw_pins(pins: tuple[Pin, ...]) -> None:
    """Show every pin with an editable name and buttons to move and remove it."""
    st.markdown(f"**Pinned**, {len(pins)} of {MOST_PINS}")
    for place, held in enumerate(pins):
        _draw_pin(pins, place, held)
    _draw_adding()
    if pins:
        st.button("Clear", icon=":material/delete_sweep:", on_click=_clear, help="Remove all pins.")


def _draw_pin(pins: tuple[Pin, ...], place: int, held: Pin) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", gap="xxsmall")
    key = f"name_{write_pin(Pin(held.held))}"
    st.session_state[key] = held.name
    row.text_input(
        f"Name of pin {place + 1}",
        key=key,
        max_chars=LONGEST_NAME,
        label_visibility="collapsed",
        on_change=_rename,
        args=(held, key),
    )
    for icon, word, by in (("arrow_upward", "up", -1), ("arrow_downward", "down", 1)):
        row.button(
            f":material/{icon}:",
            key=f"{word}_{place}",
            on_click=_rearrange,
            args=(_of(held, moved_pin, by=by),),
            disabled=not 0 <= place + by < len(pins),
            type="tertiary",
            help=f"Move {plain(held.name)} {word}",
        )
    row.button(
        ":material/close:",
        key=f"remove_{place}",
        on_click=_rearrange,
        args=(_of(held, without_pin),),
        type="tertiary",
        help=f"Remove {plain(held.name)}",
    )


def _of(
    held: Pin, change: Callable[..., tuple[Pin, ...]], **options: Any
) -> Callable[[tuple[Pin, ...]], tuple[Pin, ...]]:
    """Return the change of the pin that holds a model, wherever it stands by then; once it has gone, no change.

    The pins may be others when a message comes that was sent before the browser has shown them.
    """

    def changed(pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        found = pinned_as(pins, held.architecture)
        return change(pins, pins.index(found), **options) if found else pins

    return changed


@completed
def _rename(held: Pin, key: str) -> None:
    if (name := st.session_state.get(key)) is not None:
        change_pins(_of(held, renamed_pin, name=name))


@completed
def _rearrange(change: Callable[[tuple[Pin, ...]], tuple[Pin, ...]]) -> None:
    """Change the pins and keep the same model as baseline while it is pinned."""
    if not (before := pinned()):
        return
    base = before[baseline_of(before)].architecture

    def follow(pins: tuple[Pin, ...]) -> dict[str, str]:
        held = pinned_as(pins, base)
        return {BASELINE: str(pins.index(held) + 1) if held and held != pins[0] else ""}

    change_pins(change, follow)


@completed
def _clear() -> None:
    change_pins(lambda pins: (), lambda pins: {BASELINE: ""})


# Adding models.


def _draw_adding() -> None:
    draw_published("Add a published model", "Add a published model", key="added", on_change=_add_published)
    with st.popover("Add a config.json", icon=":material/data_object:", width="stretch"):
        st.file_uploader("A file", type=list(KINDS), key="added_file", on_change=_add_file, max_upload_size=1)
        st.text_area("Or its text", key="added_text", placeholder='{"model_type": "llama", …}', max_chars=MAX_BYTES)
        st.button("Add it", on_click=_add_text)
    if problem := st.session_state.pop("added_problem", None):
        st.error(plain(f"{problem}."), icon=":material/error:")


def _add_published() -> None:
    if name := st.session_state.added:
        pin(published_model(name), hint="")
    st.session_state.added = None


@completed
def _add_file() -> None:
    if file := st.session_state.added_file:
        _add_config(file.getvalue(), file.name)


@completed
def _add_text() -> None:
    _add_config(st.session_state.added_text, "")


def _add_config(text: str | bytes, file: str) -> None:
    try:
        named_model = read_config(text, file)
    except ValueError as error:
        st.session_state.added_problem = str(error)
    else:
        pin(named_model, hint="")


def show_starts() -> None:
    """Explain the page and offer preset comparisons."""
    st.markdown(
        "Pin designs on the Design page and models on the Inspect page to compare them here. Or start with a preset:"
    )
    for label in COMPARISON_PRESETS:
        st.button(label, on_click=_start, args=(label,), icon=":material/compare:")


@completed
def _start(label: str) -> None:
    change_pins(lambda pins: preset_pins(label))


# The comparison.


def show_remarks(comparison: Comparison) -> None:
    """List what was not read of the models that come from configs, if anything."""
    if remarks := config_remarks(comparison.pins):
        st.markdown("\n".join(f"* **{plain(name)}:** {plain(remark)}." for name, remark in remarks))


def measure_switch() -> Measure:
    """Show the switch between share and parameters, which is part of the link."""
    linked = query_params.get(MEASURE)
    query_params.show(MEASURE, linked if linked in _MEASURES else "share")
    st.segmented_control(
        "Length and area",
        list(_MEASURES),
        format_func=_MEASURES.__getitem__,
        key=MEASURE,
        on_change=_take,
        args=(MEASURE, lambda value: "" if value in (None, "share") else value),
        label_visibility="collapsed",
    )
    return cast("Measure", st.session_state[MEASURE] or "share")


@completed
def _take(parameter: str, written: Callable[[Any], str]) -> None:
    if not query_params.is_outdated(parameter):
        query_params.change({parameter: written(st.session_state[parameter])})


def baseline_of(pins: tuple[Pin, ...]) -> int:
    """Return the index of the baseline in the link, 0 without one."""
    text = query_params.get(BASELINE, "1")
    return int(text) - 1 if text.isdecimal() and len(text) == 1 and 1 <= int(text) <= len(pins) else 0


def draw_comparison(pins: tuple[Pin, ...]) -> Comparison:
    """Show the controls of the table; return the comparison."""
    query_params.show(BASELINE, baseline_of(pins))
    st.selectbox(
        "Differences from",
        range(len(pins)),
        format_func=lambda place: pins[place].name if place < len(pins) else "",
        key=BASELINE,
        on_change=_take,
        args=(BASELINE, lambda place: str(place + 1) if place else ""),
    )
    with st.expander("Settings of the costs"):
        settings = cost_settings(longest_context(pins))
    return Comparison(pins, st.session_state[BASELINE], settings)


def show_findings(comparison: Comparison) -> None:
    """Show what differs, what evidence says of it and what no formula tells; or how to add a second model."""
    found = findings(comparison)
    if not found:
        st.caption("Add a second model in the sidebar, or pin one on another page, to compare it with this one.")
        return
    with st.container(key="findings", gap="xsmall"):
        for finding in found:
            source = plain(f"Sources: {finding.source}.") if finding.source else None
            text = plain(finding.text).replace(" %", "\u00a0%")  # no line starts with the sign
            st.markdown(f"**{finding.kind}.** {text}", help=source)
        _show_measured(comparison.pins[comparison.baseline])


def _show_measured(pin: Pin) -> None:
    """Show what the nearest study has measured, as seen from the baseline."""
    if found := nearest_evidence(pin.subject):
        st.markdown(f"**Nearest study.** {plain(f'{pin.name}: {found.sentence}')}")


def show_differences(comparison: Comparison) -> None:
    """Show the table of differences, what is equal in all models, and the assumptions of the costs."""
    st.caption(plain(f"{comparison.terms_line}."))
    st.html(f"<style>{TABLE_STYLE}</style>{differences_table(comparison)}")
    equal = len(comparison.equal_lines)
    if len(comparison.pins) > 1 and equal:
        with st.expander(f"{counted(equal, 'row')} {'is' if equal == 1 else 'are'} equal in all models"):
            st.html(equal_table(comparison))
    with st.expander("Assumptions and sources of the costs"):
        st.html(assumptions_table(comparison))


def show_heading(comparison: Comparison, measure: Measure) -> None:
    """Show the title, links and downloads of the comparison."""
    row = st.container(horizontal=True, vertical_alignment="center", key="heading")
    row.title(plain(comparison.title), anchor=False, width="stretch")
    if not st.context.is_embedded:
        buttons = row.container(horizontal=True, width="content")
        with buttons.popover("Share", icon=":material/share:"):
            _show_links(comparison, measure)
        with buttons.popover("Download", icon=":material/download:"):
            _show_downloads(comparison, measure)


def _show_links(comparison: Comparison, measure: Measure) -> None:
    shown: dict[str, str | list[str]] = {**view_in_url(), PIN: [write_pin(held) for held in comparison.pins]}
    shown |= {MEASURE: measure, BASELINE: str(comparison.baseline + 1)}
    for caption, embedded in (
        ("Link to this comparison", False),
        ("The same without frame and sidebar, for screenshots", True),
    ):
        st.caption(caption)
        link = f"{st.context.url}?{urlencode(shown | ({'embed': 'true'} if embedded else {}), doseq=True)}"
        st.code(link, language=None, wrap_lines=True)


def _show_downloads(comparison: Comparison, measure: Measure) -> None:
    from slimlm.export.downloads import comparison_downloads

    show_downloads(comparison_downloads(comparison, measure))
