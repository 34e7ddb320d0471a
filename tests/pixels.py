"""The colours of a picture."""

import io

import numpy as np
import pandas as pd
from PIL import Image


def opened(png: bytes) -> Image.Image:
    """Return a PNG as a picture."""
    return Image.open(io.BytesIO(png))


def colors_of(image: Image.Image) -> set[str]:
    """Return every colour of a picture, as "#RRGGBB"."""
    pixels = np.asarray(image.convert("RGB")).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return {f"#{color:06X}" for color in pd.unique(pixels.ravel())}
