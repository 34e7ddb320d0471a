"""Feed-forward layers of the PyTorch model.

SwiGLU and GeGLU (Shazeer 2020, "GLU Variants Improve Transformer", section 2); GELU and its approximation by tanh
(Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2); ReLU² (So et al. 2021, "Primer", section 4).

Shapes: B batch, T tokens, D d_model, F d_ff.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.utils.validation import check_whole


def gelu_tanh(x: Tensor) -> Tensor:
    """Return x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))), of any shape."""
    return F.gelu(x, approximate="tanh")


def squared_relu(x: Tensor) -> Tensor:
    """Return max(x, 0)², of any shape."""
    return F.relu(x).square()


class GatedFeedForward(nn.Module):
    """Gated feed-forward: down(activation(gate(x)) · up(x)) (Shazeer 2020, section 2).

    Raises ValueError for a width below 1.
    """

    activation: Callable[[Tensor], Tensor]

    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0, *, bias: bool = False) -> None:
        check_whole(d_model=d_model, d_ff=d_ff)
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=bias)
        self.up_proj = nn.Linear(d_model, d_ff, bias=bias)
        self.down_proj = nn.Linear(d_ff, d_model, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        out: Tensor = self.dropout(self.down_proj(self.activation(self.gate_proj(x)) * self.up_proj(x)))
        return out


class SwiGLU(GatedFeedForward):
    """Gated feed-forward with SiLU: down(silu(gate(x)) · up(x))."""

    activation = staticmethod(F.silu)


class GeGLU(GatedFeedForward):
    """Gated feed-forward with GELU: down(gelu(gate(x)) · up(x))."""

    activation = staticmethod(F.gelu)


class GeGLUByTanh(GatedFeedForward):
    """Gated feed-forward with GELU's approximation by tanh: down(gelu_tanh(gate(x)) · up(x))."""

    activation = staticmethod(gelu_tanh)


class PlainFeedForward(nn.Module):
    """Feed-forward of two matrices: down(activation(up(x))).

    Raises ValueError for a width below 1.
    """

    activation: Callable[[Tensor], Tensor]

    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0, *, bias: bool = False) -> None:
        check_whole(d_model=d_model, d_ff=d_ff)
        super().__init__()
        self.up_proj = nn.Linear(d_model, d_ff, bias=bias)
        self.down_proj = nn.Linear(d_ff, d_model, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        out: Tensor = self.dropout(self.down_proj(self.activation(self.up_proj(x))))
        return out


class GeluFeedForward(PlainFeedForward):
    """Feed-forward with the exact GELU."""

    activation = staticmethod(F.gelu)


class ReluFeedForward(PlainFeedForward):
    """Feed-forward with ReLU."""

    activation = staticmethod(F.relu)


class GeluByTanhFeedForward(PlainFeedForward):
    """Feed-forward with GELU's approximation by tanh."""

    activation = staticmethod(gelu_tanh)


class SquaredReluFeedForward(PlainFeedForward):
    """Feed-forward with ReLU²: down(relu(up(x))²)."""

    activation = staticmethod(squared_relu)


FEED_FORWARDS: dict[str, type[GatedFeedForward | PlainFeedForward]] = {
    "swiglu": SwiGLU,
    "geglu": GeGLU,
    "gelu": GeluFeedForward,
    "relu": ReluFeedForward,
    "geglu_tanh": GeGLUByTanh,
    "gelu_tanh": GeluByTanhFeedForward,
    "relu2": SquaredReluFeedForward,
}
"""`Architecture.ffn` → its layer."""
