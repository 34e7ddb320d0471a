"""An existing model (published, or from a config.json) under its name."""

from dataclasses import dataclass
from functools import cached_property

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.describe import shape_line
from slimlm.core.design import Design
from slimlm.core.published import PublishedModel
from slimlm.utils.text import one_line

LONGEST_NAME = 60
"""Most characters of a name."""


@dataclass(frozen=True)
class NamedModel:
    """A concrete model under a name: published, or described by somebody's config.json."""

    name: str
    architecture: Architecture
    origin: str
    """Where it comes from, in a few words: "Published 2024"."""
    remarks: tuple[str, ...] = ()
    """What its architecture does not say, and does not count: attention windows, soft-capping and the like."""

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return ModelDims(self.architecture.d_model, self.architecture.d_ff, self.architecture.n_layers)

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    @property
    def title(self) -> str:
        """Name, size and shape on one line.

        >>> NamedModel("small", Architecture(d_model=216, d_ff=544, n_layers=12), "From a file").title
        'small · 10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
        """
        return f"{self.name} · {shape_line(self.account)}"


Subject = Design | NamedModel
"""What charts, tables and files show: a model with its account and its title."""


def published_named_model(model: PublishedModel) -> NamedModel:
    """Return a published model as a named model."""
    return NamedModel(model.name, model.architecture, f"Published {model.year}", (model.note,) if model.note else ())


def tidy_name(text: str) -> str:
    """Return a name as one visible line, or "unnamed"."""
    return one_line(text, LONGEST_NAME) or "unnamed"
