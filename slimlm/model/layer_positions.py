"""What each kind of layer is told about positions: rotary angles, biases by distance, and the reach of a window.

Shapes: T tokens.
"""

from functools import partial
from typing import Any

from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import UNROTATED, WINDOWED
from slimlm.model.positions import PositionTables, alibi_bias, in_reach, rotary_angles, windowed_alibi_bias


class LayerPositions:
    """Positions of the layers of an architecture; tables are computed once for all layers of a kind and kept."""

    def __init__(self, architecture: Architecture) -> None:
        arch = self._architecture = architecture
        self._tables: dict[str, PositionTables] = {}
        if arch.positions == "rope" and arch.rotary_width:
            turn = partial(rotary_angles, head_dim=arch.rotary_width)
            self._tables["rotary"] = PositionTables(partial(turn, theta=arch.rope_theta))
            if arch.window_rope_theta is not None:
                self._tables["window_rotary"] = PositionTables(partial(turn, theta=arch.window_rope_theta))
        if arch.positions == "alibi":
            self._tables["bias"] = PositionTables(partial(alibi_bias, arch.n_heads))
        if arch.window is not None:
            reach = partial(windowed_alibi_bias, arch.n_heads) if arch.positions == "alibi" else in_reach
            self._tables["reach"] = PositionTables(partial(reach, arch.window))

    def __call__(self, layer: int, tokens: int, like: Tensor) -> dict[str, Any]:
        """Return the keyword arguments of a layer's block, with the device and dtype of `like`.

        A sequence that fits into the window is full attention, which has a faster kernel.
        """
        kind = self._architecture.layer_pattern[layer % len(self._architecture.layer_pattern)]
        windowed = kind == WINDOWED and self._architecture.window is not None and tokens > self._architecture.window
        of_window = kind == WINDOWED and "window_rotary" in self._tables
        names = {
            "rotary": "" if kind == UNROTATED else "window_rotary" if of_window else "rotary",
            "score_bias": "reach" if windowed else "bias",
        }
        return {given: self._tables[name](tokens, like) for given, name in names.items() if name in self._tables}

    def clear(self) -> None:
        """Forget every table."""
        for tables in self._tables.values():
            tables.clear()
