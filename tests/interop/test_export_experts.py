"""What training frameworks answer to mixtures and latents, which slimlm does not write for them."""

from collections.abc import Callable
from typing import Any

import pytest

from slimlm.core.architecture import Architecture
from slimlm.interop.litgpt import litgpt_config
from slimlm.interop.megatron import megatron_arguments

SIZES: dict[str, Any] = {"d_model": 64, "d_ff": 32, "n_layers": 2, "positions": "rope", "norm": "rmsnorm"}


@pytest.mark.parametrize(("write", "name"), [(litgpt_config, "litgpt"), (megatron_arguments, "Megatron-LM")])
@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"n_experts": 8}, r"n_experts=8 \(slimlm writes dense models for it\); n_experts=0 would work"),
        (
            {"kv_lora_rank": 16},
            r"kv_lora_rank=16 \(slimlm writes plain attention for it\); kv_lora_rank=None would work",
        ),
    ],
)
def test_a_framework_is_not_written_what_it_would_misread(
    write: Callable[[Architecture], object], name: str, choices: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot express {problem}$"):
        write(Architecture(**SIZES, **choices))
