"""An existing model (published, or from a config.json) under its name."""

from dataclasses import dataclass
from functools import cached_property

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture, ModelDims
from slimlm.core.describe import shape_line
from slimlm.core.design import Design
from slimlm.utils.text import one_line

LONGEST_NAME = 60
"""Most characters of a name."""

FROM_CONFIG, FROM_LINK = "From a config.json", "From a link"
"""Origins of models that are not published."""


@dataclass(frozen=True)
class NamedModel:
    """A concrete model with a name: published, from a config.json, or from a link."""

    name: str
    architecture: Architecture
    origin: str
    """Where the model comes from: "Published 2024"."""
    remarks: tuple[str, ...] = ()
    """Properties without parameters that the architecture does not describe: attention windows, soft-capping, …"""

    @cached_property
    def account(self) -> Account:
        """The components of the architecture."""
        return account(self.architecture)

    @property
    def dims(self) -> ModelDims:
        """(d_model, d_ff, n_layers)."""
        return self.architecture.dims

    @property
    def total_params(self) -> int:
        """Parameters of the architecture."""
        return self.account.total_params

    def renamed(self, name: str) -> "NamedModel":
        """Return the model under another name."""
        return NamedModel(name, self.architecture, self.origin, self.remarks)

    @property
    def title(self) -> str:
        """Name, size and shape on one line.

        >>> NamedModel("small", Architecture(d_model=216, d_ff=544, n_layers=12), "From a file").title
        'small · 10.05M parameters · 12 layers × d_model 216 · d_ff 544 · 8 heads'
        """
        return f"{self.name} · {shape_line(self.account)}"


Subject = Design | NamedModel
"""A model with an account and a title, for charts, tables and files."""


def tidy_name(text: str) -> str:
    """Return a name as one visible line, or "unnamed"."""
    return one_line(text, LONGEST_NAME) or "unnamed"
