"""Streamlit's command line, with a count of the PyTorch models that its server builds: `python -m tests.watched run …`.

The account goes to the file that the environment variable names.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.server import Server, serving

_ACCOUNT = "SLIMLM_BUILDS"


class Builds(NamedTuple):
    """What a server has built so far."""

    begun: int = 0
    finished: int = 0
    under_way: int = 0
    most_at_once: int = 0


@contextmanager
def watched(environment: Mapping[str, str] | None = None) -> Iterator[tuple[Server, Callable[[], Builds]]]:
    """Run the app on a server of its own; yield it and a function that returns how many PyTorch models it has built.

    environment: variables to set beyond this process's.
    """
    with TemporaryDirectory() as folder:
        account = Path(folder, "builds.json")
        account.write_text(json.dumps(Builds()))
        variables = {**(environment or {}), _ACCOUNT: str(account)}
        with serving(launcher=("-m", "tests.watched"), environment=variables) as server:
            yield server, lambda: Builds(*json.loads(account.read_text()))


def count_builds(probe: Callable[..., Any], account: Path) -> Callable[..., Any]:
    """Wrap the function that builds a PyTorch model, so that builds are counted."""
    counts, lock = Builds(), threading.Lock()

    def note(**changes: int) -> None:
        nonlocal counts
        changed = {name: getattr(counts, name) + change for name, change in changes.items()}
        counts = counts._replace(**changed)
        counts = counts._replace(most_at_once=max(counts.most_at_once, counts.under_way))
        written = account.with_suffix(".new")
        written.write_text(json.dumps(counts))
        written.replace(account)  # whoever reads meets a whole account

    def counted(*args: Any, **options: Any) -> Any:
        with lock:
            note(begun=1, under_way=1)
        try:
            result = probe(*args, **options)
        except BaseException:
            with lock:
                note(under_way=-1)
            raise
        with lock:
            note(finished=1, under_way=-1)
        return result

    return counted


if __name__ == "__main__":
    from streamlit.web.cli import main

    from slimlm.probing import probe as probing

    probing.probe = count_builds(probing.probe, Path(os.environ[_ACCOUNT]))
    main()
