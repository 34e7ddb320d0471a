"""Devices: workers take turns, runs are tried elsewhere, and a GPU that breaks runs off is left alone."""

from slimlm.engines.devices import Devices

PAIR = ("cuda:0", "cuda:1")


def test_the_least_used_device_is_next_whichever_worker_ended() -> None:
    devices = Devices(PAIR)
    assert devices.choose("a", []) == "cuda:0"
    assert devices.choose("a", ["cuda:0"]) == "cuda:1"
    assert devices.choose("a", ["cuda:1", "cuda:0", "cuda:1"]) == "cuda:0"


def test_a_run_is_tried_on_another_device() -> None:
    devices = Devices(PAIR)
    assert not devices.failed("cuda:0", "a")
    assert devices.choose("a", ["cuda:1", "cuda:1"]) == "cuda:1"
    assert devices.choose("b", ["cuda:1", "cuda:1"]) == "cuda:0"


def test_a_device_on_which_three_runs_in_a_row_broke_off_is_lost_and_others_go_on() -> None:
    devices = Devices(PAIR)
    assert [devices.failed("cuda:1", key) for key in "abc"] == [False, False, True]
    assert devices.lost == ["cuda:1"]
    assert devices.choose("d", ["cuda:0"] * 5) == "cuda:0"
    assert not devices.failed("cuda:1", "d")


def test_runs_that_end_between_failures_are_not_a_lost_device() -> None:
    devices = Devices(PAIR)
    for key in "abc":
        devices.failed("cuda:1", key)
        devices.succeeded("cuda:1")
    assert devices.lost == []


def test_where_all_devices_seem_lost_all_are_used() -> None:
    devices = Devices(PAIR)
    for key in "abc":
        devices.failed("cuda:0", key)
        devices.failed("cuda:1", key)
    assert devices.lost == []
    assert Devices(["cpu"]).choose("a", ["cpu"]) == "cpu"
