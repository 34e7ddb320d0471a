"""The type of a design note, and the phrases and sources that notes share."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slimlm.core.describe import counted
from slimlm.core.design import Design
from slimlm.core.published import PublishedModel
from slimlm.utils.formatting import format_count

DAI = "Dai et al. 2024, DeepSeekMoE (arXiv 2401.06066), sec. 3"
AINSLIE = "Ainslie et al. 2023, GQA (arXiv 2305.13245), abstract"
ANTHONY = "Anthony et al. 2024 (arXiv 2401.14489), sizing guidelines"
BIAN = "Bian et al. 2025 (arXiv 2510.18245)"
CHOWDHERY = "Chowdhery et al. 2022, PaLM (arXiv 2204.02311), sec. 2"
FAHIM = "Fahim & Karim 2026 (arXiv 2601.20994, preprint), critical depth"
FLASH = "FlashAttention-2 (github.com/Dao-AILab/flash-attention), README and flash_attn_interface.py"
GEMMA = "Gemma Team 2025, Gemma 3 (arXiv 2503.19786), local and global attention layers"
KAPLAN = "Kaplan et al. 2020 (arXiv 2001.08361), sec. 3.1 and Fig. 5"
KAZEMNEJAD = "Kazemnejad et al. 2023 (arXiv 2305.19466), abstract"
LEVINE = "Levine et al. 2020 (arXiv 2006.12467), fit of optimal depth"
MEGATRON = "Megatron-LM, make_vocab_size_divisible_by=128"
MOBILE = "Liu et al. 2024, MobileLLM (arXiv 2402.14905)"
NVIDIA = "NVIDIA, Matrix Multiplication Background User's Guide, Table 1"
PUBLISHED = "slimlm's table of published models"
ROPE = "Su et al. 2021, RoFormer (arXiv 2104.09864)"
SHAZEER = "Shazeer 2020 (arXiv 2002.05202), sec. 2"
TAO = "Tao et al. 2024 (arXiv 2407.13623), sec. 4.2 (Approach 2)"
VASWANI_FFN = "Vaswani et al. 2017 (arXiv 1706.03762), sec. 3.3"
VASWANI_POSITIONS = "Vaswani et al. 2017 (arXiv 1706.03762), sec. 3.5"
XIONG = "Xiong et al. 2023 (arXiv 2309.16039), positional encoding"


class Severity(StrEnum):
    """Severity of a note: warnings name likely harm, advice likely gains, info facts worth knowing."""

    WARNING = "warning"
    ADVICE = "advice"
    INFO = "info"


@dataclass(frozen=True)
class Note:
    """One remark on a design."""

    key: str
    """Stable identifier of the rule."""
    severity: Severity
    text: str
    """One sentence, with the figure in it."""
    figure: str
    """The figure alone, for a table or a badge."""
    source: str
    """Paper and section, or documentation."""


def name_sizes(models: Sequence[PublishedModel]) -> str:
    """Return the number and sizes of published models: "3 published models of 14.07M to 16.58M"."""
    totals = sorted({model.total_params for model in models})
    ends = " to ".join(map(format_count, dict.fromkeys((totals[0], totals[-1]))))
    return f"{counted(len(models), 'published model')} of {ends}"


def active_words(design: Design) -> str:
    """Say of a mixture that it is compared by what is active; nothing of a dense model."""
    if not design.architecture.is_mixture:
        return ""
    return f"; they are dense, of about the {format_count(design.account.active_params)} that are active here"


def format_number(value: float) -> str:
    """Round a positive number to two significant digits, or to a whole number from ten on."""
    if value < 0.01:
        return "less than 0.01"
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"
