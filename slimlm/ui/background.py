"""Long work of a page in a thread of its own that leaves the processors to the pages of all sessions."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from slimlm.utils.priority import lower_thread_priority
from slimlm.utils.progress import Progress

Result = TypeVar("Result")

_NICE = 10
"""Between pages (0) and studies, which run for hours."""


class _Cancelled(BaseException):
    """Ends work whose page has left; not an Exception, so that no work takes it for a failure of its own."""


class _Reports:
    """The latest report of work, handed from its thread to that of the page."""

    def __init__(self) -> None:
        self._latest: tuple[float, str] | None = None
        self._cancelled = False
        self._changed = threading.Condition()

    def put(self, fraction: float, text: str) -> None:
        """Take a report; end the work if it is cancelled."""
        with self._changed:
            if self._cancelled:
                raise _Cancelled
            self._latest = fraction, text
            self._changed.notify()

    def next(self, is_over: Callable[[], bool]) -> tuple[float, str] | None:
        """Wait for a report, or for the end of the work."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not None or is_over())
            latest, self._latest = self._latest, None
            return latest

    def wake(self, _: object) -> None:
        """Let the page see that the work is over."""
        with self._changed:
            self._changed.notify()

    def cancel(self) -> None:
        """End the work at its next report."""
        with self._changed:
            self._cancelled = True


def run_behind(work: Callable[[Progress], Result], show: Progress) -> Result:
    """Return what work returns, or raise what it raises; it runs behind other threads, where the system can do that.

    `work` is called with a function that takes its progress. `show` is called here with the latest report. Exceptions
    that it raises cancel the work at its next report; they go on to the caller once the work has ended.
    """
    reports, done = _Reports(), Future[Result]()
    done.add_done_callback(reports.wake)
    thread = threading.Thread(target=_run, args=(work, reports.put, done), daemon=True, name="work behind pages")
    thread.start()
    try:
        while (report := reports.next(done.done)) is not None:
            show(*report)
        return done.result()
    finally:
        reports.cancel()
        thread.join()
        del done  # what it raised refers to this frame, and so to all that the work has made


def _run(work: Callable[[Progress], Result], report: Progress, done: "Future[Result]") -> None:
    lower_thread_priority(_NICE)
    try:
        done.set_result(work(report))
    except _Cancelled:
        pass  # nobody waits for it
    except BaseException as problem:  # whatever it is, the page that waits is to raise it
        done.set_exception(problem)
        del done  # as above
