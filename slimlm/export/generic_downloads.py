"""The downloads that every design, or every named model, has: `DOWNLOADS` and `NAMED_MODEL_DOWNLOADS`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from slimlm.core.config import ModelConfig
from slimlm.core.named_model import Subject
from slimlm.core.published import published_model
from slimlm.export.downloads import Download, common_downloads, file_name
from slimlm.solver.solver import solve


@dataclass(frozen=True)
class GenericDownload:
    """A file that can be built of any model, as `common_downloads` builds it of one."""

    label: str
    suffix: str
    """End of the file's name (see `file_name`)."""
    mime: str
    build: Callable[[Subject], bytes | str]
    help: str
    """Tooltip: contents and purpose."""


def _generic(example: Subject) -> tuple[GenericDownload, ...]:
    stem = file_name(example, "")
    return tuple(
        GenericDownload(
            found.label, found.file_name.removeprefix(stem), found.mime, partial(_built, found.label), found.help
        )
        for found in common_downloads(example)
    )


def _built(label: str, subject: Subject) -> bytes | str:
    """Build the download of this label; a design has every label that a named model has."""
    found: Download = next(found for found in common_downloads(subject) if found.label == label)
    return found.build()


DOWNLOADS = _generic(solve(ModelConfig()))
"""Downloads of a design, in the order of the menu; `model_downloads` lists those of one design."""

NAMED_MODEL_DOWNLOADS = _generic(published_model("gpt2"))
"""Downloads of a named model, in the order of the menu."""
