"""Addresses of Ray clusters, however written, and names of files that a cluster sends."""

import pytest

from slimlm.engines.ray_address import check_address, is_loopback
from slimlm.engines.ray_engine import _OF_RUN

ELSEWHERE = [
    "auto", "0.0.0.0:6379", "[::]:6379", "10.0.0.1", "ray://10.0.0.1:10001", "example.org:6379",
    "localhost.example.org",
    "127.0.0.1.example.org:1", "127.0.0.1@example.org:1", "127.0.0.1:1@example.org:2", "example.org:1//127.0.0.1",
    "ray://example.org//localhost", "localhost,example.org", "127.0.0.1\n10.0.0.1", "127.0.0.1 10.0.0.1",
    "http://localhost:1",
    "2130706433", "0x7f.1", "127.1", "::1", "[::1", "[fe80::1]:1", "\uff11\uff12\uff17.0.0.1", " ", "x" * 5000, "\0",
    "localhost:", "localhost:1:2", "//localhost", "localhost/../10.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", ELSEWHERE, ids=lambda address: repr(address)[:30])
def test_an_address_that_is_not_surely_this_machine_needs_a_token(address: str) -> None:
    assert not is_loopback(address)
    for mode in ({}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": ""}, {"RAY_AUTH_MODE": "TOKEN"}):
        with pytest.raises(
            ValueError, match=r"^address=.* is not allowed: others may reach that cluster .* would work$"
        ) as e:
            check_address(address, mode)
        assert str(e.value).isprintable() and len(str(e.value)) < 400
    check_address(address, {"RAY_AUTH_MODE": "token"})


@pytest.mark.parametrize("name", ["run.json", "best/model.safetensors", "checkpoints/step-00000004/state.json"])
def test_a_file_of_a_run_has_a_plain_path(name: str) -> None:
    assert _OF_RUN.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["../run.json", "/etc/passwd", "best/../../x", "a//b", ".lock", "", "a/b/c/d", "a\0", "a\n"]
)
def test_a_path_that_leads_out_of_a_run_is_none_of_its_files(name: str) -> None:
    assert not _OF_RUN.fullmatch(name)
