"""A worker that trains nothing: python -m tests.engines.fake_worker FOLDER MODE.

It does what MODE says in the first run that any worker of the folder is given, and succeeds in all others; with a "*"
at the end it does so in all runs. A "poison"ed one fails from then on, as a process does whose GPU reported an error.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from slimlm.study.spec import spec_from_record


def misbehave(mode: str, key: str) -> None:
    if mode == "die":
        print("Traceback\nout of \x1b memory", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "leave":
        print("no such \x1b module", file=sys.stderr, flush=True)
        sys.exit(1)
    if mode == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if mode == "hang":
        time.sleep(600)
    if mode in ("again", "refuse", "poison"):
        answer = {"key": key, "error": "the disk is full", "again": mode != "refuse"}
        print(json.dumps(answer), flush=True)
    if mode == "babble":
        print('no JSON\n{"key": "another", "error": null, "again": false}', flush=True)
        print(json.dumps({"key": key, "done": 0.25}), flush=True)
        time.sleep(0.5)
        print(json.dumps({"key": key, "error": None, "again": False}), flush=True)


def main(home: Path, mode: str) -> None:
    misbehaved = False
    for line in sys.stdin:
        key = spec_from_record(json.loads(line)).key
        if mode.endswith("*") or not (home / "misbehaved").exists() or (mode == "poison" and misbehaved):
            misbehaved = True
            (home / "misbehaved").touch()
            misbehave(mode.rstrip("*"), key)
        else:
            print(json.dumps({"key": key, "error": None, "again": False}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
