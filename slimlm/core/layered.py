"""Models whose layers differ from each other: hybrids of attention and recurrence, and layers of different widths.

They are counted from the shapes of their tensors, and what their layers keep while decoding is known. No `Architecture`
describes them, so that slimlm neither designs nor builds them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from math import prod

from slimlm.core.accounting import Component, Shape
from slimlm.core.describe import counted, params_words
from slimlm.utils.formatting import format_count

NOT_BUILT = "slimlm counts models whose layers differ and does not build them."
"""Why such a model has no PyTorch check."""

Tensors = Mapping[str, Shape]
"""Parameter name without the layer's number → shape; the part before the first dot is the component's key."""


@dataclass(frozen=True)
class Layer:
    """One layer: its tensors, and what it keeps of a sequence while decoding."""

    kind: str
    """What mixes the tokens: "attention", "Mamba-2"; or what it does instead: "feed-forward"."""
    tensors: Tensors
    cache_per_token: int = 0
    """Numbers kept for each token: keys and values."""
    state: int = 0
    """Numbers kept for a sequence, however long: states of a recurrence or a convolution."""
    idle_params: int = 0
    """Parameters that a token does not use: those of the experts that it is not sent to."""
    window: int | None = None
    """Most tokens whose keys and values are kept; None: those of all tokens."""

    @property
    def params(self) -> int:
        """Parameters of the layer."""
        return sum(map(prod, self.tensors.values()))

    def cached(self, tokens: int) -> int:
        """Return the numbers of the KV cache after a number of tokens."""
        return self.cache_per_token * (tokens if self.window is None else min(self.window, tokens))

    def params_of(self, component: str) -> int:
        """Return the parameters of the component with this key."""
        return sum(prod(shape) for name, shape in self.tensors.items() if name.partition(".")[0] == component)


@dataclass(frozen=True)
class LayeredAccount:
    """Components of a model whose layers differ, from input to output, and their totals."""

    components: tuple[Component, ...]
    total_params: int
    active_params: int
    """Parameters that one token uses; fewer than all where layers have experts."""
    embedding_params: int
    """Parameters in vocabulary-sized matrices."""

    @property
    def embedding_ratio(self) -> float:
        """Share of all parameters in vocabulary-sized matrices."""
        return self.embedding_params / self.total_params

    @property
    def non_embedding_params(self) -> int:
        """Parameters outside vocabulary-sized matrices."""
        return self.total_params - self.embedding_params


@dataclass(frozen=True, kw_only=True)
class LayeredModel:
    """A concrete model with a name whose layers differ."""

    name: str
    origin: str
    """Where the model comes from."""
    vocab_size: int
    d_model: int
    max_seq_length: int
    """Most tokens of a sequence; 0: any number."""
    tied_lm_head: bool
    layers: tuple[Layer, ...]
    names: Mapping[str, str]
    """Component key → display name, for the components of the layers."""
    final_norm: str = "RMSNorm"
    outside: Tensors = field(default_factory=dict)
    """Tensors outside the layers beside the usual ones: of the components token_embedding, final_norm and lm_head."""
    tables: Tensors = field(default_factory=dict)
    """Vocabulary-sized matrices beside the usual ones, with the component token_embedding."""
    remarks: tuple[str, ...] = ()
    """What the account leaves out, or what was assumed."""
    config: Mapping[str, object] = field(default_factory=dict)
    """The keys of the config that determine the model."""

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @cached_property
    def account(self) -> LayeredAccount:
        """The components with their shares, and the totals."""
        found = tuple(self._components())
        total = sum(part.params for part in found)
        return LayeredAccount(
            tuple(replace(part, share=part.params / total) for part in found),
            total,
            total - sum(layer.idle_params for layer in self.layers),
            (1 if self.tied_lm_head else 2) * self.vocab_size * self.d_model + sum(map(prod, self.tables.values())),
        )

    def _components(self) -> Iterable[Component]:
        table: Shape = (self.vocab_size, self.d_model)
        yield self._outer("token_embedding", "Token embedding", "vocab_size · d_model", {"weight": table})
        for key, name in self.names.items():
            yield _component(key, name, self.layers)
        yield self._outer("final_norm", f"Final {self.final_norm}", "d_model", {"weight": (self.d_model,)})
        formula = "0 (tied)" if self.tied_lm_head else "vocab_size · d_model"
        head = self._outer("lm_head", "LM head", formula, {} if self.tied_lm_head else {"weight": table})
        yield replace(head, note="tied to the token embedding") if self.tied_lm_head else head

    def _outer(self, key: str, name: str, formula: str, own: Tensors) -> Component:
        """Return a component outside the layers, with the tensors that this model has beside its own."""
        shapes = {f"{key}.{tensor}": shape for tensor, shape in own.items()}
        more = {t: s for t, s in {**self.tables, **self.outside}.items() if t.partition(".")[0] == key}
        said = f"{formula} + {format_count(sum(map(prod, more.values())))}" if more else formula
        return Component(key=key, name=name, formula=said, shapes={**shapes, **more})

    @property
    def total_params(self) -> int:
        """Parameters of the model."""
        return self.account.total_params

    @property
    def cache_per_token(self) -> int:
        """Numbers that the KV cache grows by with each token, over all layers, until their windows are full."""
        return sum(layer.cache_per_token for layer in self.layers)

    @property
    def cached_layers(self) -> int:
        """Layers with a KV cache."""
        return sum(layer.cache_per_token > 0 for layer in self.layers)

    @property
    def windowed_layers(self) -> int:
        """Layers whose KV cache has the tokens of a window."""
        return sum(layer.cache_per_token > 0 and layer.window is not None for layer in self.layers)

    @property
    def windows(self) -> tuple[int, ...]:
        """The different windows of the layers, in tokens."""
        return tuple(sorted({layer.window for layer in self.layers if layer.cache_per_token and layer.window}))

    def kv_numbers(self, tokens: int) -> int:
        """Return the numbers of the KV cache after a number of tokens: those of a window where a layer has one."""
        return sum(layer.cached(tokens) for layer in self.layers)

    @property
    def state(self) -> int:
        """Numbers kept for a sequence however long it is, over all layers."""
        return sum(layer.state for layer in self.layers)

    def cached_numbers(self, tokens: int) -> int:
        """Return the numbers kept after a number of tokens: KV cache and states."""
        return self.kv_numbers(tokens) + self.state

    @property
    def order(self) -> str:
        """The kinds of all layers in their order; a group that repeats is written once.

        >>> kinds = ["Mamba-2", "Mamba-2", "attention"] * 2
        >>> layers = tuple(Layer(kind, {}) for kind in kinds)
        >>> LayeredModel(name="m", origin="", vocab_size=1, d_model=1, max_seq_length=1, tied_lm_head=True,
        ...     layers=layers, names={}).order
        '2 × (2 × Mamba-2, attention)'
        """
        kinds = [layer.kind for layer in self.layers]
        period = next(size for size in range(1, len(kinds) + 1) if _repeats(kinds, size))
        times = len(kinds) // period
        written = _runs(kinds[:period])
        if times == 1 or period == 1:
            return _runs(kinds)
        return f"{times:,} × ({written})"

    @property
    def title(self) -> str:
        """Name, size and shape on one line."""
        return (
            f"{self.name} · {params_words(self.account)} · {counted(self.n_layers, 'layer')} × d_model {self.d_model:,}"
        )

    def renamed(self, name: str) -> "LayeredModel":
        """Return the model under another name."""
        return replace(self, name=name)


def _repeats(kinds: list[str], size: int) -> bool:
    return len(kinds) % size == 0 and kinds == kinds[:size] * (len(kinds) // size)


def _runs(kinds: list[str]) -> str:
    runs = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    return ", ".join(kind if count == 1 else f"{count:,} × {kind}" for kind, count in runs)


def _component(key: str, name: str, layers: tuple[Layer, ...]) -> Component:
    """Return the component with this key: copies of equal tensors, or the tensors of each layer where they differ."""
    found = [
        (number, {tensor: shape for tensor, shape in layer.tensors.items() if tensor.partition(".")[0] == key})
        for number, layer in enumerate(layers)
    ]
    having = [(number, tensors) for number, tensors in found if tensors]
    first = having[0][1] if having else {}
    if all(tensors == first for _, tensors in having):
        shapes = {f"blocks.*.{tensor}": shape for tensor, shape in first.items()}
        formula = format_count(sum(map(prod, first.values())))
        return Component(
            key=key, name=name, formula=formula, shapes=shapes, copies=max(1, len(having)), per_layer=bool(having)
        )
    shapes = {f"blocks.{number}.{tensor}": shape for number, tensors in having for tensor, shape in tensors.items()}
    return Component(key=key, name=name, formula=f"{len(having)} layers of different sizes", shapes=shapes)
