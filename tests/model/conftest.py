"""What tests of modules share."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def seeded_on_one_thread() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads make tiny matrices slower, by far where other work keeps the cores busy
    yield
    torch.set_num_threads(threads)
