"""The size of a safetensors file by its header: a file of another size is damaged, and need not be read."""

import json
from pathlib import Path
from typing import Any

from slimlm.utils.files import regular_size, unreadable

_LONGEST_HEADER = 10**8
"""The limit of the safetensors package."""


def check_weights_file(file: Path, what: str) -> None:
    """Raise ValueError, in one sentence, for a file that has not the size that its header says.

    Neither a pipe is opened nor a hole read or mapped; `what` names the file in errors.
    """
    found, expected = regular_size(file, what), _expected_size(file, what)
    if found != expected:
        raise ValueError(f"{what} cannot be read: it has {found:,} bytes, and its header says {expected:,}")


def _expected_size(file: Path, what: str) -> int:
    try:
        with file.open("rb") as content:
            length = int.from_bytes(content.read(8), "little")
            header: Any = json.loads(content.read(length)) if length <= _LONGEST_HEADER else None
        ends = [int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"]
    except OSError as error:
        raise unreadable(what, error) from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError):
        raise ValueError(f"{what} cannot be read: its header is damaged") from None
    return 8 + length + max(ends, default=0)
