"""What needs no torch: the import, and counting beside those who build the model for it, in five rounds."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.kit import Row, in_turns
from tests.server import ROOT


def import_rows() -> Iterator[Row]:
    def start(code: str, folder: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=_compiled_in(folder))

    def imported(folder: str) -> float:
        code = "import time; t = time.perf_counter(); import slimlm; print(time.perf_counter() - t)"
        command, env = [sys.executable, "-c", code], _compiled_in(folder)
        out = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, env=env)
        return float(out.stdout)

    with tempfile.TemporaryDirectory() as folder:
        start("import slimlm", folder)()  # compiles, as an installation does
        ours, peer = in_turns(start("import slimlm", folder), start("pass", folder), 10)
        yield Row("process: import slimlm | pass", ours, peer)
        times = [imported(folder) for _ in range(10)]
        yield Row("import slimlm, timed inside the process", statistics.median(times), most=0.045)


def _compiled_in(folder: str) -> dict[str, str]:
    """Return an environment that keeps compiled modules in a folder, whatever the one around it does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": folder}


def count_rows() -> Iterator[Row]:
    """Count published models by their account, beside building them on the meta device and beside torchinfo."""
    import torch
    from torchinfo import summary
    from transformers import AutoConfig, AutoModelForCausalLM

    from slimlm.core.accounting import account
    from slimlm.core.published import published_model
    from slimlm.interop.hf.export_config import to_hf_config

    for name in ("SmolLM2-135M", "Qwen3-0.6B", "Llama-3-8B"):
        arch = published_model(name).architecture
        written = to_hf_config(arch)
        config = AutoConfig.for_model(written.pop("model_type"), **written)

        def ours(arch: Any = arch) -> int:
            return account(arch).total_params

        def built(config: Any = config) -> Any:
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
            model.tie_weights()
            return model

        def by_transformers() -> int:
            return sum(parameter.numel() for parameter in built().parameters())

        def by_torchinfo() -> int:
            return int(summary(built(), verbose=0).total_params)

        assert ours() == by_transformers(), name
        more = by_torchinfo() - ours()  # a tied head counts twice there
        peers = {"transformers on meta": by_transformers, f"torchinfo, {more:+,} params": by_torchinfo}
        for peer, count in peers.items():
            yield Row(f"count {name} | {peer}", *in_turns(ours, count, 5))
    yield from _reading_rows()


def _reading_rows() -> Iterator[Row]:
    """Read configs of windows, experts and a hybrid, and count them, beside transformers on the meta device."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from slimlm.core.published import published_model
    from slimlm.interop.hf.export_config import to_hf_config
    from slimlm.interop.read_model import read_model

    hybrid = {"model_type": "qwen3_5_text", "hidden_size": 5120, "intermediate_size": 17408, "num_hidden_layers": 64}
    hybrid |= {"num_attention_heads": 24, "num_key_value_heads": 4, "linear_num_value_heads": 48}
    configs = {name: to_hf_config(published_model(name).architecture) for name in ("gemma-3-270m", "Qwen3-30B-A3B")}
    for name, config in {**configs, "Qwen3.5-27B": hybrid}.items():

        def ours(config: dict[str, Any] = config, name: str = name) -> int:
            return read_model(config, name).total_params

        def theirs(config: dict[str, Any] = config) -> int:
            with torch.device("meta"):
                model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))  # type: ignore[no-untyped-call]
            model.tie_weights()
            return sum(parameter.numel() for parameter in model.parameters())

        assert ours() == theirs(), name
        yield Row(f"read and count {name} | transformers on meta", *in_turns(ours, theirs, 5))
