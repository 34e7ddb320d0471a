"""Links that somebody has damaged or made up: always a page, and what they say is shown as text or not at all."""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Dialog, Page
from streamlit.testing.v1 import AppTest

from slimlm.compare.pin_links import read_pins, write_pin
from slimlm.compare.pins import LONGEST_NAME, pin_of
from slimlm.core.architecture import Architecture
from slimlm.core.named_model import FROM_CONFIG, NamedModel
from slimlm.core.published import all_published, published_model, published_models
from slimlm.interop.layered import layered_model
from slimlm.serialization.fields import KNOBS
from slimlm.serialization.layered_links import write_layered
from slimlm.serialization.links import read_named_model, write_named_model
from slimlm.sweep.axis_values import MOST_VALUES, default_values, parse_values
from slimlm.sweep.metrics import METRICS
from slimlm.ui import inspect_panels, model_builds, sweep_controls
from slimlm.ui.cost_panels import COST_PARAMETERS
from slimlm.ui.model_builds import PRECISION
from slimlm.ui.query_params import SCALE
from slimlm.ui.sections import TAB
from slimlm.utils.text import lightly, plain
from tests.browser import settle
from tests.layered_keys import KEYS
from tests.test_app import APP

Query = dict[str, list[str]]

PAGES = ("app.py", "pages/inspect.py", "pages/compare.py", "pages/sweep.py", "pages/rank.py")
SHAPE = {"d_model": 8, "d_ff": 8, "n_layers": 1}

LIVELY = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "[a](javascript:alert(3))",
    "![a](https://example.org/a.png)",
    "https://example.org",
    "www.example.org",
    "a@example.org",
    "$x^2$ $$y$$",
    "**b** _i_ ~~s~~ `c`",
    ":red[r] :blue-badge[b]",
    ":material/home: :streamlit:",
    ":smile: &lt; &#65;",
    "a -- b -> c <= d",
    "1. one",
    "# head",
    "=1+1",
)
"""Texts that Markdown, Streamlit, HTML, LaTeX or a spreadsheet would make something of. A pin's name holds each."""

ODD = (
    *("", " ", "nan", "inf", "-inf", "1e999", "-1", "0", "9" * 39, "9" * 5000, "x" * 100_000, "½", "\u0663", "1_000"),
    *("\u202eright to left", "\0", "\ud800", "\ufffe", "\r\n", "~~~", "---", "%s%n", "{{7*7}}", "../../etc/passwd"),
    *("auto", "none", "true", "null", "[]", "{}", "{", "10M", "1T", "8/0", ",,,", "0..0 x 5", "1..9 x 10000"),
    *("[" * 5000, '{"a":' * 3000, '{"d_model":1e400,"d_ff":8,"n_layers":1}', json.dumps(SHAPE | {"name": "\ud800"})),
    '{"d_model":8,"d_model":16,"d_ff":8,"n_layers":1}',
)

VIEW = (TAB, PRECISION, SCALE, *COST_PARAMETERS)
"""Keys of what is shown of a model."""

MODELS_AND_GRIDS = ("architecture", "model", "study", "cell", "against", "xs", "ys", "fig", "vs", "view")


# Links at random: real ones, some of them damaged.


def links(page: str, seed: int, count: int) -> list[Query]:
    draw = random.Random(seed)
    return [_damaged(draw, _real(draw, page)) for _ in range(count)]


def _real(draw: random.Random, page: str) -> Query:
    query = {name: [_value(draw, name)] for name in draw.sample(list(KNOBS), draw.randint(0, 5))}
    query |= {name: ["1"] for name in draw.sample(VIEW, draw.randint(0, 2))}
    models = draw.sample(all_published(), draw.randint(0, 4))
    query["pin"] = [write_pin(pin_of(model, draw.choice(("", *LIVELY)))) for model in models]
    if page == "pages/inspect.py":
        named_model, layered = draw.choice(all_published()), draw.choice(sorted(KEYS))
        text = write_layered(layered_model({"model_type": layered} | KEYS[layered](draw)))
        links = ({"model": [named_model.name]}, {"architecture": [write_named_model(named_model)]})
        query |= draw.choice((*links, {"architecture": [text]}))
    if page == "pages/compare.py":
        query |= {"measure": [draw.choice(("share", "params"))], "baseline": [str(draw.randint(0, 9))]}
    if page == "pages/rank.py":
        query |= {"study": [draw.choice((*LIVELY, "standard-ebooks-1M"))], "cell": [draw.choice(LIVELY)]}
        query |= {"against": [draw.choice(("flops", "seconds"))]}
    if page == "pages/sweep.py":
        x, y = draw.sample(["embedding_ratio", "glu_expansion", "norm", "tied_lm_head", "n_layers"], 2)
        query |= {"x": [x], "xs": [default_values(x)], "y": [y], "fig": [draw.choice(list(METRICS))]}
        query |= {
            "view": [draw.choice(("map", "pareto"))],
            "vs": [draw.choice(list(METRICS))],
            "ys": [default_values(y)],
        }
    return query


def _value(draw: random.Random, name: str) -> str:
    knob = KNOBS[name]
    stops = [*knob.options, *knob.words] or [knob.default]
    stop = draw.choice(stops)
    return "" if stop is None else knob.write(stop)


def _damaged(draw: random.Random, query: Query) -> Query:
    for _ in range(draw.randint(0, 4)):
        name = draw.choice([*query, *KNOBS, *VIEW, *MODELS_AND_GRIDS, draw.choice(ODD)[:300]])
        damage: list[Callable[[list[str]], list[str]]] = [
            lambda values: [draw.choice(ODD + LIVELY)],
            lambda values: [*values, draw.choice(ODD + LIVELY)],
            lambda values: values * 2,
            lambda values: [],
            lambda values: draw.choice(list(query.values()) or [[]]),
            lambda values: [_cut(draw, value) for value in values],
        ]
        query[name] = draw.choice(damage)(query.get(name, []))
    return {name: values for name, values in query.items() if values}


def _cut(draw: random.Random, text: str) -> str:
    start = draw.randint(0, len(text))
    return text[:start] + draw.choice(ODD)[:50] + text[start + draw.randint(0, 3) :]


# Without a browser.


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build no PyTorch models, which take most of a page's time and have nothing to do with links."""
    monkeypatch.setattr(model_builds, "pytorch_check", lambda place, architecture: "not built")
    monkeypatch.setattr(inspect_panels, "pytorch_check", lambda place, architecture: "not built")


def opened(page: str, query: Query) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60)
    if page != "app.py":
        app.switch_page(page)
    asked = {name: values for name, values in query.items() if "embed" not in name.lower()}
    app.query_params.update({_sent(name): [_sent(value) for value in values] for name, values in asked.items()})
    return app.run()


def _sent(text: str) -> str:
    """Return what of a text an address can carry, which is no half of a surrogate pair."""
    return text.encode(errors="replace").decode()


def problem(page: str, query: Query) -> str:
    """Say what is wrong with the page that a link opens; nothing when it is a page."""
    app = opened(page, query)
    if app.exception:
        return f"a traceback: {app.exception[0].value}"
    sentences = [found.value for found in (*app.error, *app.warning, *app.info)]
    if not (app.get("vega_lite_chart") or sentences or app.button):
        return "an empty page"
    if too_long := [text for text in sentences if len(text) > 1500]:
        return f"{len(too_long[0]):,} characters: {too_long[0][:200]}"
    bodies = [found.value for found in (*app.markdown, *app.caption)] + sentences
    alive = [text for text in LIVELY[:13] if any(text in body for body in bodies)]
    return f"alive: {alive}" if alive else ""


@pytest.mark.parametrize("page", PAGES)
def test_whatever_a_link_says_there_is_a_page(page: str, unbuilt: None) -> None:
    problems = [(found, query) for query in links(page, 1, 4) if (found := problem(page, query))]
    assert not problems


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_link_says_it_is_read_or_refused_in_a_sentence(seed: int) -> None:
    refusals = 0
    for query in links(PAGES[seed], seed, 100):
        told = [*_told(query), *read_pins(tuple(query.get("pin", ())))[1]]
        assert all("\n" not in text and text.isprintable() and len(text) < 500 for text in told)
        refusals += len(told)
    assert refusals > 50


def _told(query: Query) -> list[str]:
    """Read a link as the pages do, and return the sentences about what cannot be used."""
    last = {name: values[-1] for name, values in query.items()}
    asked, told = sweep_controls.read({name: last[name] for name in asdict(sweep_controls.Asked()) if name in last})
    attempts: list[Callable[[], object]] = [
        *((lambda name=name: KNOBS[name].from_text(last[name])) for name in query if name in KNOBS),
        lambda: parse_values(asked.x, asked.xs),
        lambda: published_model(last.get("model", "gpt2")[:80]),
        lambda: read_named_model(last.get("architecture", json.dumps(SHAPE))),
    ]
    for attempt in attempts:
        try:
            attempt()
        except ValueError as error:
            told.append(str(error))
    return told


def test_a_list_that_repeats_a_long_range_is_refused_before_it_takes_long() -> None:
    with pytest.raises(ValueError, match=f"^glu_expansion: there are more than {MOST_VALUES:,} values; at most"):
        parse_values("glu_expansion", "1..9 x 10000, " * 1000 + "2")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=80))
@settings(max_examples=60, deadline=None)
def test_names_from_links_are_one_line_of_visible_characters(name: str) -> None:
    text = json.dumps(SHAPE | {"name": name})
    found = read_named_model(text).name
    assert found.isprintable() and found == found.strip() and 0 < len(found) <= 60
    pins, _ = read_pins((f"model~gpt2~name-{name.replace('~', '')}",))
    assert pins[0].name.isprintable() and 0 < len(pins[0].name) <= LONGEST_NAME


@pytest.mark.parametrize("text", LIVELY)
def test_escaped_text_reads_the_same_without_its_escapes(text: str) -> None:
    for escaped in (plain(text), lightly(text)):
        assert re.sub(r"\\(.)", r"\1", escaped).replace("\u2060", "") == text


# In Chromium.

_ALIVE = """scope => [...document.querySelectorAll(scope)].filter(found =>
    found.matches("img, script, iframe, object, embed, em, strong, del, code, h1, li, .katex, [onerror]")
    || (found.matches("a") && new URL(found.href).host !== location.host)
    || (found.matches("[role=img]") && /home|streamlit/i.test(found.ariaLabel || ""))
    || (found.matches("span") && /red|blue/.test(found.getAttribute("style") || ""))
).map(found => found.outerHTML.slice(0, 300)).filter(found => found !== "<strong>Pinned</strong>")"""
"""What a text of `LIVELY` could have become on the page."""


def text_of(page: Page) -> str:
    body = page.locator("body").inner_text()
    fields = [field.input_value() for field in page.get_by_test_id("stTextInput").locator("input").all()]
    return "\n".join([body, *fields]).replace("\u2060", "")


@pytest.fixture
def dialogs(page: Page) -> list[str]:
    found: list[str] = []

    def note(dialog: Dialog) -> None:
        found.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    return found


def visit(page: Page, address: str, query: str) -> str:
    page.goto(f"{address}/{query}", wait_until="domcontentloaded")
    page.get_by_test_id("stMarkdown").first.wait_for(state="attached", timeout=90_000)
    settle(page)
    return text_of(page)


def query_of(name: str, texts: Sequence[str]) -> str:
    return "&".join(f"{name}={quote(text)}" for text in texts)


def alive(page: Page, scope: str) -> list[str]:
    found: list[str] = page.evaluate(_ALIVE, scope)
    return found


def test_in_a_browser_names_of_pins_are_text(page: Page, address: str, dialogs: list[str]) -> None:
    for names in (LIVELY[:8], LIVELY[8:]):
        pins = [write_pin(pin_of(model, name)) for model, name in zip(published_models(), names, strict=False)]
        text = visit(page, address, f"compare?{query_of('pin', pins)}")
        assert [name for name in names if text.count(name.replace("~", "-")) < 2] == []  # in a field and in the table
        found = alive(page, ":is([data-testid=stMain], [data-testid=stSidebar]) *")
        own = re.compile(r'<h1 id="8-models-side-by-side">|<strong>[A-Z][a-z ]+\.</strong>$')  # our heading, our kinds
        assert [element for element in found if not own.match(element)] == []
    assert dialogs == []


def test_in_a_browser_what_cannot_be_used_is_quoted_as_text(page: Page, address: str, dialogs: list[str]) -> None:
    knobs = "&".join(f"{name}={quote(text)}" for name, text in zip(KNOBS, LIVELY, strict=False))
    for query in (f"compare?embed=true&{query_of('pin', LIVELY)}", f"?embed=true&{knobs}"):
        text = visit(page, address, query)
        assert [name for name in LIVELY if name.partition("~")[0][:36] not in text] == []
        assert page.get_by_test_id("stAlert").count() >= len(LIVELY) and alive(page, "[data-testid=stAlert] *") == []
    assert dialogs == []


@pytest.mark.parametrize("first", [0, 4, 8])
def test_in_a_browser_the_name_of_a_model_is_text(first: int, page: Page, address: str, dialogs: list[str]) -> None:
    name = " ".join(LIVELY[first : first + 4])[:60].strip()
    text = visit(page, address, f"inspect?embed=true&architecture={quote(json.dumps(SHAPE | {'name': name}))}")
    assert f"{name}, " in text
    assert page.locator("h1").count() == 1 and alive(page, "h1 *") == []
    assert dialogs == []


def test_in_a_browser_remarks_are_text(page: Page, address: str, dialogs: list[str]) -> None:
    model = NamedModel("a", Architecture(d_model=8, d_ff=8, n_layers=1), FROM_CONFIG, LIVELY)
    text = visit(page, address, f"inspect?embed=true&architecture={quote(write_named_model(model))}")
    assert [remark for remark in LIVELY if remark not in text] == []
    assert alive(page, ":not([data-testid=stExpander] *) > li *") == []
    assert dialogs == []
