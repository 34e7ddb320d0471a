"""Configs of every model type and every other program, in every form of text."""

import json
import pprint
import random
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from slimlm.cli.main import main
from slimlm.core.layered import LayeredModel
from slimlm.core.named_model import NamedModel
from slimlm.interop.hf import FAMILIES
from slimlm.interop.hf.family import Family
from slimlm.interop.layered import LAYERED
from slimlm.interop.read_model import read_model
from slimlm.notes.verdict import verdict
from slimlm.serialization.links import write_named_model
from tests.fuzz.driver import Kind
from tests.fuzz.judge import sentence_fault
from tests.interop.test_foreign import DCLM, LLAMA_3_8B, META, MISTRAL, OPEN_LM, STORIES
from tests.layered_keys import KEYS

_SIZES = {"vocab_size": 320, "d_model": 64, "d_ff": 128, "n_layers": 4, "n_heads": 4, "max_seq_length": 128}
_SIZES |= {"n_experts": 4, "n_active_experts": 2, "d_expert": 32, "head_dim": 16}

NANO_GPT = {"n_layer": 6, "n_head": 6, "n_embd": 384, "block_size": 256, "vocab_size": 65, "bias": False}
LITGPT = {"name": "small", "block_size": 256, "vocab_size": 320, "n_layer": 4, "n_head": 4, "n_embd": 64}
LITGPT |= {"padding_multiple": 64, "norm_class_name": "RMSNorm", "mlp_class_name": "LLaMAMLP", "intermediate_size": 128}
WRAPPED = {"model_type": "llava", "text_config": {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}}
PROGRAMS: dict[str, dict[str, Any]] = {
    "meta": META, "llama3": LLAMA_3_8B, "mistral": MISTRAL, "llama2c": STORIES, "open_lm": OPEN_LM, "dclm": DCLM,
    "nanogpt": NANO_GPT, "nanogpt-train": NANO_GPT | {"learning_rate": 1e-3, "max_iters": 5}, "litgpt": LITGPT,
    "wrapped": WRAPPED,
}  # fmt: skip


def typed_config(family: Family, draw: random.Random) -> dict[str, Any]:
    """Return a small config of a model type, with some of its rarer keys."""
    found: dict[str, Any] = {"model_type": family.model_type, "architectures": family.classes.split()[:1]}
    found |= {family.keys[name].split()[0]: size for name, size in _SIZES.items() if name in family.keys}
    rare: dict[str, Any] = {key: switch.default for key, switch in family.switches.items()}
    rare |= {key: only.allowed[0] for key, only in family.only.items()}
    rare |= {key: factor.default for key, factor in family.factors.items()}
    if family.windows:
        rare |= {family.windows.key: 16, family.windows.names: ["full_attention"] * 4}
    rare |= {"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "torch_dtype": "bfloat16", "use_cache": True}
    return found | {key: value for key, value in rare.items() if draw.random() < 0.5}


def all_configs() -> dict[str, dict[str, Any]]:
    """Return an example of everything that is read, by name."""
    draw = random.Random(0)
    found = {name: typed_config(family, draw) for name, family in sorted(FAMILIES.items())}
    found |= {name: {"model_type": name} | dict(kind.defaults) for name, kind in sorted(LAYERED.items())}
    found |= {f"{name}-small": {"model_type": name} | KEYS[name](draw) for name in sorted(KEYS)}
    return found | PROGRAMS


def _forms(config: dict[str, Any]) -> dict[str, str]:
    """Return a config in the forms in which people have it, by the name of a file."""
    text = json.dumps(config, indent=2)
    return {
        "plain": text,
        "python": pprint.pformat(config),
        "yaml": "# litgpt\n" + yaml.safe_dump(config, default_flow_style=None, width=10**6),
        "log": f"[INFO] 2024-01-01 >> Model config SmallConfig {text}\n",
        "comments": "// a comment\n" + text.replace(",\n", ", # why\n"),
        "assignments": "".join(f"{key} = {value!r}\n" for key, value in config.items()),
    }


def make(home: Path) -> None:
    for number, (name, config) in enumerate(all_configs().items()):
        forms = _forms(config)
        for form in ("plain", [*forms][1 + number % (len(forms) - 1)]):
            folder = home / f"{name}-{form}"
            folder.mkdir()
            (folder / "config.json").write_text(forms[form], encoding="utf-8")


def use(folder: Path, draw: random.Random) -> None:
    """Read a config as `inspect` and its page do."""
    try:
        found = read_model(folder, "a name")
    except ValueError as error:
        _check_command(folder, str(error))
        raise
    _check_command(folder, "")
    if isinstance(found, LayeredModel):
        return
    assert isinstance(found, NamedModel)
    for remark in [*found.remarks, str(verdict(found))]:
        assert not sentence_fault(remark), remark
    write_named_model(found)


def _check_command(folder: Path, sentence: str) -> None:
    """The command succeeds, or says the same sentence and nothing else."""
    with redirect_stdout(StringIO()) as out:
        code = main(["inspect", str(folder), "--json"] if len(sentence) % 2 else ["inspect", str(folder)])
    assert code == (2 if sentence else 0)
    assert bool(out.getvalue()) != bool(sentence)


CONFIGS = Kind("config", make, use, plural="configs")
