"""Shapes that nobody builds: depth, heads, proportions and embedding share outside those of published models."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import quantiles

from slimlm.core.accounting import Account
from slimlm.core.describe import counted, shape_phrase
from slimlm.core.published import PublishedModel, published_models
from slimlm.notes.note import format_number
from slimlm.utils.formatting import format_share, format_size

DEPTH_SLACK, ASPECT_SLACK, REST_SLACK = 2.0, 2.5, 2.0
"""Factors beyond what most published models have from which on a depth, an aspect ratio, and what the vocabulary leaves
to the rest of the model are out of the ordinary."""

Figure = Callable[[PublishedModel], float]

NEAR, _FEWEST = 3.0, 8
"""Factor of a size within which published models are its peers, and the fewest peers."""

HEAD_DIMS = 16, 256
"""Least and greatest head_dim: of the published models known here TinyStories alone has narrower heads."""


@dataclass(frozen=True)
class Oddity:
    """One figure of a model that is out of the ordinary."""

    key: str
    """What it is about: depth, aspect_ratio, head_dim or embedding_share."""
    text: str
    """The figure beside that of published models, without a full stop."""


def peers(total_params: int) -> tuple[PublishedModel, ...]:
    """Return the published models within a factor of 3 of a size, or the eight nearest where those are fewer."""
    first, last = _peer_places(total_params)
    return published_models()[first:last]


def oddities(account: Account) -> tuple[Oddity, ...]:
    """Return what of a model is out of the ordinary, most harmful first; nothing when all is plausible.

    A figure is out of the ordinary when it is far outside the middle 80 % of the published models of about the size.
    Two are not: a small embedding share, which comes with a small vocabulary, and many layers that are wide enough,
    about which the evidence conflicts.
    """
    return tuple(_oddities(account))


def worst_oddity(account: Account) -> Oddity | None:
    """Return the most harmful of them, or None: fast enough for every model of a sweep."""
    return next(_oddities(account), None)


def _oddities(account: Account) -> Iterator[Oddity]:
    return (oddity for check in (_depth, _aspect_ratio, _head_dim, _embedding_share) if (oddity := check(account)))


def _depth(account: Account) -> Oddity | None:
    layers = account.architecture.n_layers
    low, high = _span(account, _layers)
    if layers < low / DEPTH_SLACK or (layers > high * DEPTH_SLACK and _aspect_ratio(account)):
        return Oddity("depth", f"{counted(layers, 'layer')}: {_most(account)} have {_ends(round(low), round(high))}")
    return None


def _aspect_ratio(account: Account) -> Oddity | None:
    arch = account.architecture
    ratio = arch.d_model / arch.n_layers
    low, high = _span(account, _proportion)
    if low / ASPECT_SLACK <= ratio <= high * ASPECT_SLACK:
        return None
    kind = "wide for its depth" if ratio > high else "narrow for its depth"
    text = f"{shape_phrase(arch)} is {kind}: d_model / n_layers is {format_number(ratio)}"
    return Oddity("aspect_ratio", f"{text}, and {_most(account)} have {_ends(low, high)}")


def _head_dim(account: Account) -> Oddity | None:
    width, (low, high) = account.architecture.head_width, HEAD_DIMS
    if low <= width <= high:
        return None
    kind = "narrow" if width < low else "wide"
    return Oddity("head_dim", f"Heads of {width:,} are too {kind}: published models have 32 to {high}")


def _embedding_share(account: Account) -> Oddity | None:
    # A mixture is set beside dense models by what a token uses.
    share = account.embedding_params / account.active_params
    low, high = _span(account, _share)
    if 1 - share >= (1 - high) / REST_SLACK:
        return None
    active = "active " if account.architecture.is_mixture else ""
    vocabulary = f"The vocabulary takes {format_share(share)} of the {active}parameters"
    return Oddity(
        "embedding_share", f"{vocabulary}: {_most(account)} spend {format_share(low)} to {format_share(high)}"
    )


def _span(account: Account, figure: Figure) -> tuple[float, float]:
    """Return the ends of the middle 80 % of the peers' figures."""
    return _middle(_peer_places(account.active_params), figure)


@lru_cache(maxsize=1024)
def _middle(places: tuple[int, int], figure: Figure) -> tuple[float, float]:
    """Return the same for the published models from one place in the list of all to before another."""
    first, last = places
    deciles = quantiles(map(figure, published_models()[first:last]), n=10, method="inclusive")
    return deciles[0], deciles[-1]


@lru_cache(maxsize=256)
def _peer_places(total_params: int) -> tuple[int, int]:
    """Return the first place of the peers among the published models, which are sorted by size, and that after them."""
    sizes = _sizes()
    first, last = bisect_left(sizes, total_params / NEAR), bisect_right(sizes, total_params * NEAR)
    while last - first < min(_FEWEST, len(sizes)):
        # The next smaller model joins, or the next larger one where that is nearer.
        nearer = last == len(sizes) or (first > 0 and sizes[first - 1] * sizes[last] >= total_params**2)
        first, last = (first - 1, last) if nearer else (first, last + 1)
    return first, last


@cache
def _sizes() -> tuple[int, ...]:
    return tuple(model.total_params for model in published_models())


def _layers(model: PublishedModel) -> float:
    return model.architecture.n_layers


def _proportion(model: PublishedModel) -> float:
    return model.aspect_ratio


def _share(model: PublishedModel) -> float:
    return model.embedding_ratio


def _ends(low: float, high: float) -> str:
    return " to ".join(dict.fromkeys((format_number(low), format_number(high))))


def _most(account: Account) -> str:
    largest = published_models()[-1].total_params
    dense = "dense " if account.architecture.is_mixture else ""
    if account.active_params > 3 * largest:
        return f"the largest published {dense}models known here"
    return f"most published {dense}models near {size_near(account)}"


def size_near(account: Account) -> str:
    """Write the size at which a model is set beside dense ones: "100M", of a mixture "the 13B that are active"."""
    size = about(account.active_params)
    return f"the {size} that are active" if account.architecture.is_mixture else size


def about(total_params: int) -> str:
    """Write a size with two significant digits: "100M"."""
    return _format_size(int(float(f"{total_params:.2g}")))


_format_size = lru_cache(maxsize=1024)(format_size)
