"""Checks of the model on a CUDA machine, as a table: python -m tests.model.gpu_check."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.model.device import PRECISIONS
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import TransformerBlock
from slimlm.model.positions import alibi_bias
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe
from slimlm.solver.solver import solve

CUDA = torch.device("cuda")
SECONDS = 220.0
"""Rows that would begin later than this are skipped."""

SMALL = Architecture(
    vocab_size=1000, max_seq_length=64, n_heads=4, d_model=64, d_ff=96, n_layers=3, dropout=0.0, attention_dropout=0.0
)
STRUCTURES: dict[str, dict[str, Any]] = {
    "learned": {},
    "RoPE, GQA": {"positions": "rope", "n_kv_heads": 2, "norm": "rmsnorm"},
    "ALiBi": {"positions": "alibi", "bias": "all", "ffn": "gelu"},
    "none, multi-query": {"positions": "none", "n_kv_heads": 1, "qk_norm": "head"},
    "windows": {"positions": "rope", "window": 16, "layer_pattern": "wnf", "n_kv_heads": 2, "rotary_share": 0.5},
    "windows, ALiBi": {"positions": "alibi", "window": 16, "layer_pattern": "wf"},
    "windows, caps": {"window": 16, "layer_pattern": "wf", "attention_softcap": 20.0, "logit_softcap": 30.0},
}
SIZES = {
    "10M": solve(ModelConfig()).architecture,
    "110M": Architecture(vocab_size=32_000, max_seq_length=512, n_heads=12, d_model=768, d_ff=2048, n_layers=12),
    "750M": Architecture(vocab_size=32_000, max_seq_length=512, n_heads=24, d_model=1536, d_ff=4096, n_layers=24),
}


def built(arch: Architecture, device: torch.device | str, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """Return a model of seed 7 in evaluation mode."""
    model = LanguageModel(arch, device=device, dtype=dtype, initialise=False).eval()
    model.reset_parameters(seed=7)
    return model


def some_ids(arch: Architecture, batch: int = 2, tokens: int = 64) -> Tensor:
    """Return the same token ids each time."""
    return torch.randint(arch.vocab_size, (batch, tokens), generator=torch.Generator().manual_seed(0))


def same_seed(arch: Architecture, dtype: torch.dtype) -> tuple[bool, str]:
    """Compare weights and logits of one seed on CPU and CUDA."""
    on_cpu, on_cuda, ids = built(arch, "cpu", dtype), built(arch, CUDA, dtype), some_ids(arch)
    weights = on_cuda.state_dict()
    equal = all(torch.equal(weight, weights[name].cpu()) for name, weight in on_cpu.state_dict().items())
    with torch.inference_mode():
        difference = (on_cpu(ids)[0].float() - on_cuda(ids.to(CUDA))[0].float().cpu()).abs().max().item()
    most = 1e-3 if dtype == torch.float32 else 5e-2
    return equal and difference < most, f"weights equal: {equal}; logits differ by {difference:.1e}"


def no_synchronisation(arch: Architecture) -> tuple[bool, str]:
    """Run first and later training forward passes, and a backward pass, while synchronisation is an error."""
    model, ids = built(arch, CUDA).train(), some_ids(arch).to(CUDA)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(2):
            model(ids, ids)[1].backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    gradients = [parameter.grad for parameter in model.parameters()]
    finite = all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)
    return finite, f"no synchronisation; gradients finite: {finite}"


def masks(alibi: bool) -> tuple[bool, str]:
    """Check that a padded causal batch does not leak, and that it equals the CPU's result."""
    torch.manual_seed(0)
    block, x = TransformerBlock(64, 96, 4, n_kv_heads=2).eval(), torch.randn(2, 16, 64)
    padding = torch.ones(2, 1, 1, 16)
    padding[0, ..., 12:] = 0
    padding[1, ..., :3] = 0
    changed = x.clone()
    changed[:, 10:] += 1
    options = [{"score_bias": alibi_bias(4, 16, device)} if alibi else {} for device in (torch.device("cpu"), CUDA)]
    with torch.inference_mode():
        expected = block(x, padding, is_causal=True, **options[0])
        block.to(CUDA)
        out, other = (block(y.to(CUDA), padding.to(CUDA), is_causal=True, **options[1]) for y in (x, changed))
    leak, error = (out - other)[:, :10].abs().max().item(), (out.cpu() - expected).abs().max().item()
    return leak <= 1e-6 and error < 1e-3, f"leak {leak:.1e}; differs from the CPU by {error:.1e}"


def probed(dtype: Any, streamed: bool) -> tuple[bool, str]:
    """Probe the default model, whole or with one byte less than it needs."""
    arch = SIZES["10M"]
    enough = estimate_probe(arch, dtype=dtype, device="cuda").memory_bytes
    report = probe(arch, dtype=dtype, device="cuda", max_memory=enough if streamed else None)
    expected = "block by block" if streamed else "whole"
    return report.passed and report.strategy == expected, f"{report.strategy}; loss {report.loss:.4f}; {report.device}"


def speed(arch: Architecture, dtype: torch.dtype) -> tuple[bool, str]:
    """Time building and forward passes of 16 × 512 tokens, twice: the difference shows the noise."""
    times = [_times(arch, dtype) for _ in range(2)]
    build, initialise, forward = (" / ".join(f"{run[part]:.3f}" for run in times) for part in range(3))
    rate = sum(weight.numel() for weight in LanguageModel(arch, device="meta").parameters()) / times[1][1]
    return True, f"build {build} s; initialise {initialise} s ({rate / 1e6:,.0f}M weights/s); forward {forward} s"


def _times(arch: Architecture, dtype: torch.dtype) -> tuple[float, float, float]:
    started = time.perf_counter()
    model = LanguageModel(arch, device=CUDA, dtype=dtype, initialise=False).eval()
    torch.cuda.synchronize()
    built_at = time.perf_counter()
    model.reset_parameters(seed=7)
    torch.cuda.synchronize()
    initialised_at = time.perf_counter()
    ids = some_ids(arch, 16, 512).to(CUDA)
    with torch.inference_mode():
        for _ in range(3):
            model(ids)
        torch.cuda.synchronize()
        forward_at = time.perf_counter()
        for _ in range(10):
            model(ids)
        torch.cuda.synchronize()
    return built_at - started, initialised_at - built_at, (time.perf_counter() - forward_at) / 10


def checks() -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Yield the name of each check and what it runs."""
    for name, more in STRUCTURES.items():
        arch = replace(SMALL, **more)
        yield f"same seed, {name}", partial(same_seed, arch, torch.float32)
        yield f"no synchronisation, {name}", partial(no_synchronisation, arch)
    for dtype in PRECISIONS.values():
        yield f"same seed, 10M, {dtype}", partial(same_seed, SIZES["10M"], dtype)
    for alibi in (False, True):
        yield f"padded causal batch{', ALiBi' if alibi else ''}", partial(masks, alibi)
    for precision in PRECISIONS:
        for streamed in (False, True):
            yield f"probe {precision}", partial(probed, precision, streamed)
    for name, arch in SIZES.items():
        for dtype in PRECISIONS.values():
            yield f"speed {name}, {dtype}", partial(speed, arch, dtype)


def main() -> int:
    """Run every check, print a row for each, and return 1 if one failed."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was checked")
        return 2
    torch.backends.cuda.matmul.allow_tf32 = False
    started, failures = time.perf_counter(), 0
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}, {torch.cuda.get_device_name()}", flush=True)
    for name, check in checks():
        if time.perf_counter() - started > SECONDS:
            print(f"skipped  {name}")
            failures += 1
            continue
        try:
            passed, detail = check()
        except Exception as error:  # a table of every result is of more use than the first traceback
            passed, detail = False, f"{type(error).__name__}: {error}".splitlines()[0]
        failures += not passed
        print(f"{'passed' if passed else 'FAILED'}  {name:<34} {detail}", flush=True)
    print(f"{failures} failed, {time.perf_counter() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
