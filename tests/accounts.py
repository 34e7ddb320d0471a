"""Counts how often an account is built."""

from collections.abc import Callable
from typing import Any

import pytest

from slimlm.core import accounting


def accounts_built(build: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often components are listed while something is computed."""
    listed, real = [], accounting.Component

    def component(**fields: Any) -> accounting.Component:
        listed.append(fields["key"])
        return real(**fields)

    with monkeypatch.context() as patch:
        patch.setattr(accounting, "Component", component)
        build()
    return listed.count("token_embedding")
