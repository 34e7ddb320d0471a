"""Studies on Ray, in a process of their own: python -m tests.engines.on_ray {local|cluster} FOLDER."""

import os
import secrets
import sys
import threading
import time
from pathlib import Path

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "OMP_NUM_THREADS": "1"}
os.environ |= {"RAY_raylet_start_wait_time_s": "300", "RAY_gcs_server_port_wait_time_s": "300"}  # read at the import

import ray
from ray.cluster_utils import Cluster

from slimlm.engines.ray_engine import RayEngine
from slimlm.engines.run_study import run_study
from slimlm.study.study import RUNS


def on_local_ray(folder: Path) -> None:
    """Train what is missing in a Ray of this machine's own."""
    engine = RayEngine(folder, workers=1, device="cpu")
    assert run_study(folder, engine) == "complete"
    engine.close()


def on_cluster(folder: Path) -> None:
    """Train a study on two nodes, of which one is removed while it trains."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    engine = RayEngine(folder, address=cluster.address, device="cpu")
    assert engine.slots == 2, engine.slots
    nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    assert len(nodes) == 2, nodes

    def remove() -> None:
        while sum((run / "result.json").exists() for run in (folder / RUNS).glob("*")) < 2:
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)

    remover = threading.Thread(target=remove)
    remover.start()
    assert run_study(folder, engine) == "complete"
    remover.join()
    cluster.shutdown()


if __name__ == "__main__":
    {"local": on_local_ray, "cluster": on_cluster}[sys.argv[1]](Path(sys.argv[2]))
