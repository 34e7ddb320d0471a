"""Pictures that commands write into a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from slimlm.utils.files import replacing
from slimlm.utils.optional import ALTAIR, PICTURES, PackageError, need

if TYPE_CHECKING:
    from slimlm.charts.theme import Figure


def check_pictures() -> str:
    """Return why no picture can be drawn here, in a sentence; empty where it can."""
    try:
        need("a picture", ALTAIR, PICTURES)
    except PackageError as error:
        return str(error)
    return ""


def write_picture(chart: "Figure", folder: Path, name: str) -> str:
    """Write a chart as name.svg and name.png, and return a sentence that says where they are."""
    from slimlm.export.pictures import Format, picture

    formats: tuple[Format, ...] = ("svg", "png")
    for format in formats:
        with replacing(folder / f"{name}.{format}", follow=False) as part:
            part.write_bytes(picture(chart, format=format))
    return f"picture: {folder / name}.svg and .png"
