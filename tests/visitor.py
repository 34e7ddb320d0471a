"""A session of the app without a browser: it speaks the server's protocol and remembers what a browser would.

It lets hundreds of slider moves be made by dozens of sessions at once on a small machine.
"""

import asyncio
import math
import random
import time
import urllib.request
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from pyarrow import ipc  # type: ignore[import-untyped]
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.VegaLiteChart_pb2 import VegaLiteChart
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from slimlm.core.captions import request_line, result_line
from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KNOBS, SLIDERS, Value
from slimlm.solver.solver import BudgetError, solve

Result = TypeVar("Result")

PATIENCE = 120.0
"""Seconds after which a session that is not answered is a failure."""


def in_a_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a thread of its own: a browser that this thread has opened may hold its loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Move(NamedTuple):
    """A slider's new place, and the request that the page then holds."""

    field: str
    value: Value
    config: ModelConfig


def caption(config: ModelConfig) -> str:
    """Return how the text above the chart of a request begins: the design, what was asked and what it became."""
    design = solve(config)
    return f"{design.title} {request_line(config)} {result_line(design)}"


def _heading(chart: VegaLiteChart) -> str:
    """Return the text above a chart that keeps its view, which is sent as data; of other charts, nothing."""
    tables = [table.data.data for table in chart.datasets if table.name == "heading"]
    headings = [ipc.open_stream(table).read_all().to_pylist()[0] for table in tables]
    return " ".join(line for heading in headings for key in ("text", "subtitle") for line in heading[key].split("\n"))


def next_move(config: ModelConfig, draw: random.Random, most_params: int = 300_000_000) -> Move:
    """Draw a slider and move it by up to three stops, to a request that can be met."""
    while True:
        knob = draw.choice(SLIDERS)
        now = knob.options.index(getattr(config, knob.field))
        value = knob.options[min(max(now + draw.choice((-3, -2, -1, 1, 2, 3)), 0), len(knob.options) - 1)]
        changed = ModelConfig(
            **{slider.field: getattr(config, slider.field) for slider in SLIDERS} | {knob.field: value}
        )
        try:
            if changed != config and changed.total_params <= most_params and solve(changed):
                return Move(knob.field, value, changed)
        except BudgetError:
            continue


class Visitor:
    """A browser's side of one session, from opening the page to closing the connection."""

    def __init__(self, address: str, query: str = "") -> None:
        self.address = address
        self.caption = ""
        """What stands above the first chart of the run that the last message began; empty before it has come."""
        self.problems: list[str] = []
        """Tracebacks, errors in a red box and lost connections."""
        self.messages: list[str] = []
        """What progress bars have said, without repetition."""
        self.buttons: dict[str, str] = {}
        """Id of each button by its label."""
        self._states: dict[str, WidgetState] = {}
        self._options: dict[str, Sequence[str]] = {}
        self._drawn_now: set[str] = set()
        self._query, self._page, self._page_name = query, "", ""
        self._running = self._has_chart = self._begun = False
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        place = urlsplit(self.address).netloc
        with urllib.request.urlopen(f"{self.address}/_stcore/health") as answer:
            cookie = str(answer.headers.get("Set-Cookie", "")).partition(";")[0]
        token = cookie.partition("=")[2] or "none"
        self._socket: ClientConnection = await connect(
            f"ws://{place}/_stcore/stream",
            origin=Origin(self.address),
            subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
            additional_headers={"Cookie": cookie},
            max_size=None,
        )
        self._listener = asyncio.create_task(self._listen())
        await self._send()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.cancel()
        await self._socket.close()

    async def move(self, field: str, value: Value) -> None:
        """Move a slider, whatever the page is doing, once it is there."""
        widget = await self._drawn(self._states, field)
        self._states[widget].string_array_value.data[:] = [KNOBS[field].display(value)]
        await self._send()

    async def choose(self, key: str, place: int) -> None:
        """Choose an option of a list by its place, counted on from the first after the last."""
        widget = await self._drawn(self._options, key)
        options = self._options[widget]
        self._states[widget] = WidgetState(id=widget, string_value=options[place % len(options)])
        await self._send()

    async def _drawn(self, widgets: Mapping[str, object], key: str) -> str:
        """Return the id of the widget of a key, once the page has drawn it.

        Raises TimeoutError when it never does.
        """

        def found() -> list[str]:
            return [id for id in widgets if id.endswith(f"-{key}")]

        if math.isinf(await self.until(found)):
            raise TimeoutError(f"the page has no {key}")
        return found()[0]

    async def open(self, page: str, pins: Sequence[str] = ()) -> None:
        """Go to a page ("" is the Design page) as a step in the browser's history does; models may be pinned there."""
        if page != self._page_name:
            self._page, self._page_name = "", page
            for kept in (self._states, self._options, self.buttons):
                kept.clear()
        knobs = [pair for pair in parse_qsl(self._query) if pair[0] != "pin"]
        self._query = urlencode([*knobs, *(("pin", pin) for pin in pins)])
        await self._send(is_history_navigation=True)

    async def press(self, label: str) -> None:
        """Press the button whose label begins so, once it is there.

        Raises TimeoutError when it never is.
        """

        def found() -> list[str]:
            return [id for name, id in self.buttons.items() if name.startswith(label)]

        if math.isinf(await self.until(found)):
            raise TimeoutError(f"the page has no button {label}")
        widget = found()[0]
        await self._send(WidgetState(id=widget, trigger_value=True))

    async def until(self, holds: "Any") -> float:
        """Wait until something holds of this session; return the seconds waited, infinity when it never does."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: holds() or self._listener.done())
        except TimeoutError:
            return math.inf
        return time.perf_counter() - started if holds() else math.inf

    async def until_shown(self, expected: str) -> float:
        """Wait for the chart of a request; return the seconds waited."""
        return await self.until(lambda: self.caption.startswith(expected))

    async def until_idle(self) -> float:
        """Wait until the page has run to its end; return the seconds waited."""
        return await self.until(lambda: not self._running)

    async def _send(self, *pressed: WidgetState, is_history_navigation: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.page_name = self._query, self._page, self._page_name
        state.is_history_navigation = is_history_navigation
        state.context_info.url, state.context_info.timezone = self.address, "UTC"
        state.widget_states.widgets.extend([*self._states.values(), *pressed])
        self.caption, self._running, self._begun = "", True, False
        await self._socket.send(message.SerializeToString())

    async def _listen(self) -> None:
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self._take(ForwardMsg.FromString(data))
                await self._tell()
        except ConnectionClosed as error:
            self.problems.append(str(error))
        finally:
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._running = self._begun = True
            self._has_chart, self._drawn_now = False, set()
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "script_finished" and self._begun:  # else a run that was over when the last message was sent
            self._running = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._forget_what_is_gone()
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            self.problems.append(message.session_event.script_compilation_exception.message)
        elif kind == "delta" and message.delta.HasField("new_element"):
            self._draw(message.delta.new_element)

    def _draw(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind == "vega_lite_chart" and self._begun and not self._has_chart:
            self.caption, self._has_chart = _heading(element.vega_lite_chart), True
        elif kind == "exception":
            self.problems.append(element.exception.message)
        elif kind == "alert" and element.alert.format == Alert.ERROR:
            self.problems.append(element.alert.body)
        elif kind == "progress" and element.progress.text not in self.messages[-1:]:
            self.messages.append(element.progress.text)
        elif kind == "button":
            self.buttons[element.button.label] = element.button.id
        elif kind in _KEPT:
            self._remember(widget := getattr(element, kind), _KEPT[kind])
            if kind == "selectbox":
                self._options[widget.id] = widget.options

    def _forget_what_is_gone(self) -> None:
        """Forget the values of widgets that the page no longer has, as a browser does."""
        for widget in self._states.keys() - self._drawn_now:
            del self._states[widget]

    def _remember(self, widget: Any, kept_as: str) -> None:
        """Take over a widget's value when it is new or the page has set it, as a browser does."""
        self._drawn_now.add(widget.id)
        if widget.id in self._states and not widget.set_value:
            return
        state = self._states[widget.id] = WidgetState(id=widget.id)
        given = (widget.raw_value if hasattr(widget, "raw_value") else widget.value) if widget.set_value else None
        if kept_as == "string_array_value":
            state.string_array_value.data[:] = given or [widget.options[int(place)] for place in widget.default]
        elif hasattr(widget, "options"):
            if given or widget.HasField("default"):
                state.string_value = given or widget.options[widget.default]
        elif kept_as != "double_value" or widget.HasField("value" if widget.set_value else "default"):
            setattr(state, kept_as, widget.default if given is None else given)


_KEPT = {
    "slider": "string_array_value",
    "text_input": "string_value",
    "number_input": "double_value",
    "checkbox": "bool_value",
    "selectbox": "string_value",
    "radio": "string_value",
}
"""Kind of widget → how its value is sent back."""
