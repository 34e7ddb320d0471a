"""RayEngine: the records of the local engine, on a cluster that loses a node, and no open clusters."""

import subprocess
import sys
from pathlib import Path

import pytest

from slimlm.engines.ray_address import check_address, is_loopback
from slimlm.engines.ray_engine import RayEngine
from slimlm.utils.optional import PackageError
from tests.engines.small_study import records, without


def on_ray(mode: str, folder: Path) -> None:
    """Train a study in another process: Ray leaves threads and warnings behind."""
    command = [sys.executable, "-m", "tests.engines.on_ray", mode, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_cluster_that_loses_a_node_gives_the_same_records(new: Path, finished: Path) -> None:
    on_ray("cluster", new)
    assert records(new) == records(finished)


def test_a_ray_of_this_machine_trains_what_is_missing(finished: Path, tmp_path: Path) -> None:
    copy, _ = without(finished, tmp_path / "copy", 1)
    on_ray("local", copy)
    assert records(copy) == records(finished)


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "ray://cluster.example:10001", "127.0.0.1.example:1", ""])
def test_a_cluster_that_others_can_reach_must_demand_a_token(address: str) -> None:
    with pytest.raises(
        ValueError, match=r"^address=.* is not allowed: others may reach that cluster .*; RAY_AUTH_MODE='token' would"
    ):
        check_address(address, {"RAY_AUTH_MODE": "disabled"})
    check_address(address, {"RAY_AUTH_MODE": "token"})


def test_the_address_in_the_environment_counts_too(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(ValueError, match=r"^address='10\.0\.0\.1:6379' is not allowed: "):
        RayEngine(new)


@pytest.mark.parametrize("address", [None, "local", "127.0.0.1:6379", "localhost:1", "ray://[::1]:10001", "127.1.2.3"])
def test_this_machine_alone_needs_no_token(address: str | None) -> None:
    check_address(address, {})
    assert address in (None, "local") or is_loopback(address)


def test_without_ray_there_is_a_sentence(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "token")  # restored afterwards
    monkeypatch.setattr("slimlm.utils.optional.import_module", missing)
    with pytest.raises(PackageError, match=r"^the Ray engine needs ray, which is not installed; `pip install ray` "):
        RayEngine(new)


def missing(name: str) -> None:
    raise ModuleNotFoundError(name=name)
