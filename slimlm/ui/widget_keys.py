"""Widget keys that are the same in every process."""

from collections.abc import Mapping
from hashlib import blake2s


def digest(query: Mapping[str, str]) -> str:
    """Return a short digest of query parameters; unlike `hash()`, it survives a restart of the server.

    >>> digest({"total_params": "10M"})
    'b68c303aa62ec221'
    """
    text = "\n".join(f"{name}={query[name]}" for name in sorted(query))
    return blake2s(text.encode(), digest_size=8).hexdigest()
