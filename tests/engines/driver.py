"""Train what a study lacks with two workers: python -m tests.engines.driver FOLDER."""

import sys
from pathlib import Path

from slimlm.engines.local import LocalEngine
from slimlm.engines.run_study import run_study

if __name__ == "__main__":
    home = Path(sys.argv[1])
    run_study(home, LocalEngine(home, device="cpu", workers=2))
