"""Callbacks of widgets that finish even if the next click arrives meanwhile."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

P = ParamSpec("P")


class InterruptedAfterwards(RerunException):
    """A newer message of the browser is to be answered, and the callback has written what it had to write."""


def completed(callback: Callable[P, None]) -> Callable[P, None]:
    """Return a callback that starts again when a newer message of the browser interrupts it.

    Streamlit interrupts a callback as it does a script, at any access to its state, when the browser has sent another
    message since. It does not run the callback again: of two quick clicks the first would be lost.

    The callback writes as its last step, and the same when it is run twice.
    """

    @wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        interruptions: list[RerunException] = []
        while not (interruptions and isinstance(interruptions[-1], InterruptedAfterwards)):
            try:
                callback(*args, **kwargs)
                break
            except RerunException as interruption:
                interruptions.append(interruption)
        _answer(interruptions)

    return run


def _answer(interruptions: list[RerunException]) -> None:
    """Let Streamlit answer the messages that have interrupted a callback: each carries clicks of its own."""
    if not interruptions:
        return
    ctx = get_script_run_ctx()
    if ctx is not None and ctx.script_requests is not None:
        for earlier in interruptions[:-1]:
            ctx.script_requests.request_rerun(earlier.rerun_data)
    raise InterruptedAfterwards(interruptions[-1].rerun_data)
