"""Checks that every report on a PyTorch model shares: parameter counts and the shape of the logits."""

from dataclasses import dataclass

from slimlm.core.accounting import Account


@dataclass(frozen=True)
class CountReport:
    """Comparison of a PyTorch model with its account: parameter counts and the shape of the logits."""

    counted: dict[str, int]
    """Parameters counted on the module, by component key; a streamed model's block counts once for each layer."""
    accounted: dict[str, int]
    """Parameters in the account, by component key."""
    logits_shape: tuple[int, ...]
    expected_shape: tuple[int, ...]

    @property
    def total_params(self) -> int:
        """Parameters counted on the module."""
        return sum(self.counted.values())

    @property
    def checks(self) -> dict[str, bool]:
        """Whether each check passed, by the statement that it checks."""
        return {
            "every component has the parameters of the account": self.counted == self.accounted,
            "logits have the expected shape": self.logits_shape == self.expected_shape,
        }

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(self.checks.values())


def accounted_params(accounted: Account) -> dict[str, int]:
    """Return the parameters of an account by component key."""
    return {component.key: component.params for component in accounted.components}
