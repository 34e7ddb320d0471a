"""Server-wide FIFO job queue with a result cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from slimlm.core.describe import counted
from slimlm.utils.progress import Progress

Result = TypeVar("Result")

SAME_MODEL = "waiting for the same model, which is being built for another session"


@dataclass(eq=False)
class _Ticket(Generic[Result]):
    """A place in the queue, and the result if another thread has computed it for the same key."""

    key: Hashable
    result: Result | None


class Queue(Generic[Result]):
    """Runs one job at a time, each key once, and caches results.

    It does what an executor cannot: waiting threads learn their place in the queue and can be cancelled.

    at_most: cached results, least recently used dropped first; no result is None.
    beat: seconds between two calls of `show` while a thread waits.
    """

    def __init__(self, at_most: int = 256, beat: float = 0.2) -> None:
        self._at_most, self._beat = at_most, beat
        self._kept: OrderedDict[Hashable, Result] = OrderedDict()
        self._tickets: list[_Ticket[Result]] = []
        self._changed = threading.Condition()  # re-entrant: a ticket looks for a result and takes its place at once

    def get(self, key: Hashable) -> Result | None:
        """Return the cached result of a key, or None."""
        with self._changed:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def run(self, key: Hashable, work: Callable[[], Result], show: Progress) -> Result:
        """Return the result of a key: another thread's if there is one by this thread's turn, else that of `work`.

        `show` is told the place in the queue. Exceptions from it or from `work` give the place up.
        """
        with self._place(key) as ticket:
            seconds = 0.0
            while not self._is_due(ticket, seconds):
                show(0.0, self._waiting_for(ticket))
                seconds = self._beat
            if ticket.result is None:
                self._keep(key, work())
            assert ticket.result is not None
            return ticket.result

    @contextmanager
    def _place(self, key: Hashable) -> Iterator[_Ticket[Result]]:
        with self._changed:
            ticket = _Ticket(key, self.get(key))
            self._tickets.append(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def _is_due(self, ticket: _Ticket[Result], seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: ticket.result is not None or self._tickets[0] is ticket, seconds)

    def _waiting_for(self, ticket: _Ticket[Result]) -> str:
        """Say how many other jobs come before this one; an earlier place may be held for the same key."""
        with self._changed:
            keys = [earlier.key for earlier in self._tickets[: self._tickets.index(ticket)]]
        before = len(set(keys[: keys.index(ticket.key)] if ticket.key in keys else keys))
        return f"waiting for {counted(before, 'other model')} to be built" if before else SAME_MODEL

    def _keep(self, key: Hashable, result: Result) -> None:
        with self._changed:
            self._kept[key] = result
            while len(self._kept) > self._at_most:
                self._kept.popitem(last=False)
            for ticket in self._tickets:
                if ticket.key == key:
                    ticket.result = result
            self._changed.notify_all()
