"""TorchrunEngine: each run in processes that torchrun starts, which share every batch; for models too large for one."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from slimlm.engines.local import SILENCE_S, LocalEngine
from slimlm.study.spec import RunSpec
from slimlm.utils.validation import check_whole


class TorchrunEngine(LocalEngine):
    """Trains one run at a time under torchrun, in several processes of this machine.

    The order of additions depends on the number of processes: their runs differ from those of one process in the last
    digits, and say so in their records.
    """

    stays: ClassVar[bool] = False

    def __init__(
        self,
        folder: Path,
        *,
        processes: int = 1,
        device: str | None = None,
        keep_weights: bool = False,
        nice: int = 0,
        silence_s: float = SILENCE_S,
    ) -> None:
        """Prepare for the study in a folder, with a number of processes for each run.

        Raises ValueError for fewer than one process, and for a device that this machine does not have.
        """
        check_whole(processes=processes)
        super().__init__(folder, workers=1, device=device, keep_weights=keep_weights, nice=nice, silence_s=silence_s)
        self._processes = processes

    def _command(self, spec: RunSpec, device: str) -> list[str]:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(self._processes)]
        return [sys.executable, *launcher, *self._worker_arguments(self._device), "--one", json.dumps(spec.to_record())]

    def _environment(self) -> Mapping[str, str]:
        return {"OMP_NUM_THREADS": "1", **super()._environment()}
