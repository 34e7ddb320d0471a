"""Logit checks accumulated over slices equal those that torch computes on all logits."""

import pytest
import torch
from torch.nn import functional as F

from slimlm.probing.logit_checks import LogitChecks


@pytest.mark.parametrize("widths", [[50], [20, 30], [1, 48, 1]])
def test_slices_add_up_to_the_whole(widths: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(50, (2, 9), generator=generator)
    logits, other = (3 * torch.randn(2, 9, 50, generator=generator) for _ in range(2))
    found, first = LogitChecks(ids, 5), 0
    for width in widths:
        found.add(first, logits[..., first : first + width], other[..., first : first + width])
        first += width
    assert found.logits_shape == (2, 9, 50)
    assert found.finite
    expected = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert found.loss == pytest.approx(expected.item(), rel=1e-6)
    assert found.causal_leak == (logits - other)[:, :5].abs().max().item()
    assert found.later_change == (logits - other)[:, 5:].abs().max().item()


@pytest.mark.parametrize("spoilt", [torch.nan, torch.inf])
def test_a_logit_that_is_not_finite_is_found_in_any_slice(spoilt: float) -> None:
    found = LogitChecks(torch.zeros(1, 4, dtype=torch.long), 2)
    for first in (0, 10, 20):
        logits = torch.zeros(1, 4, 10)
        if first == 10:
            logits[0, 1, 3] = spoilt
        found.add(first, logits, logits)
    assert not found.finite
    assert not found.causal_leak <= 1e-5


def test_one_token_has_no_loss() -> None:
    found = LogitChecks(torch.zeros(2, 1, dtype=torch.long), 1)
    found.add(0, torch.zeros(2, 1, 5), torch.zeros(2, 1, 5))
    assert (found.loss, found.causal_leak, found.later_change) == (None, 0.0, 0.0)
