"""Models without weights have the published parameter counts, and take little memory."""

from dataclasses import replace

import psutil
import pytest
from hypothesis import given, settings

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model, published_models
from slimlm.probing import shape_check
from slimlm.probing.shape_check import check_shapes
from tests.strategies import architectures


@pytest.mark.parametrize("name", [model.name for model in published_models()])
def test_the_module_of_a_published_model_counts_the_published_parameters(name: str) -> None:
    report = check_shapes(published_model(name).architecture)
    assert report.passed
    assert report.total_params == published_model(name).published_params


@given(architectures())
@settings(deadline=None, max_examples=30)
def test_any_architecture_runs_as_it_says(architecture: Architecture) -> None:
    report = check_shapes(architecture)
    assert report.passed
    assert report.logits_shape == (2, min(16, architecture.max_seq_length), architecture.vocab_size)


def test_a_model_of_billions_takes_no_memory() -> None:
    before = psutil.Process().memory_info().rss
    report = check_shapes(published_model("Llama-2-7b").architecture)
    assert report.total_params > 6 * 10**9
    assert psutil.Process().memory_info().rss - before < 200e6


def test_a_model_that_is_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^n_layers=1,001 is too deep to be built, since each layer is a module: at "):
        check_shapes(Architecture(d_model=8, d_ff=8, n_layers=1001))


def test_an_account_that_errs_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(architecture: Architecture) -> Account:
        found = account(architecture)
        first, *rest = found.components
        return replace(found, components=(replace(first, copies=2), *rest))

    monkeypatch.setattr(shape_check, "account", wrong)
    report = check_shapes(Architecture(d_model=8, d_ff=8, n_layers=1))
    assert report.checks == {
        "every component has the parameters of the account": False,
        "logits have the expected shape": True,
    }
    assert not report.passed
