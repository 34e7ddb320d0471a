"""Parsing and writing of the values of a sweep's axis.

The text is a comma-separated list of values, as in the knob's own field, and of ranges that include both ends:

    0.25, 0.35, 45%            numbers, percentages and fractions
    16k, 32k, 50257            sizes (without thousands separators: a comma ends a value)
    0.2..0.5 in 7 steps        7 values, evenly spaced
    10M..1B x 9 (log)          9 values, evenly spaced on a log scale
    auto, 4, 8                 words and numbers, where the knob takes both
    none, 6..12 x 4            "none" leaves the knob open, where that is possible
    layernorm, rmsnorm         words
    true, false                switches
"""

import math
import re

from slimlm.serialization.fields import KNOBS, Knob, Value
from slimlm.utils.formatting import shown
from slimlm.utils.validation import FieldError

MOST_VALUES = 10_000
"""Largest number of values of one knob."""

_RANGE = re.compile(
    r"(?P<first>[^()]+?)\s*\.\.\s*(?P<last>[^()]+?)(?:\s+in\s+|\s*[x×]\s*)(?P<count>\d{1,6})"
    r"(?:\s*(?:steps|values))?(?:\s*\(?(?P<scale>log|linear)\)?)?",
    re.IGNORECASE,
)

_DEFAULTS = {
    "total_params": "5M, 10M, 20M, 50M, 100M",
    "vocab_size": "8k, 16k, 32k, 50257",
    "embedding_ratio": "0.25, 0.35, 0.45",
    "glu_expansion": "2, 2.66, 3, 4",
    "n_heads": "4, 6, 8, 10, 12, 16",
    "n_kv_heads": "1, 2, 4, 8",
    "head_dim": "32, 64, 128",
    "n_layers": "6, 8, 12, 16, 24",
    "max_seq_length": "512, 1024, 2048, 4096",
    "multiple_of": "1, 8, 16, 32, 64",
    "n_loops": "1, 2, 3, 4",
    "rope_theta": "10000, 100000, 500000, 1000000",
    "position_offset": "0, 2",
    "dropout": "0, 0.1, 0.2",
    "attention_dropout": "0, 0.1, 0.2",
    "layer_norm_eps": "1e-6, 1e-5",
    "window": "256, 512, 1024",
    "layer_pattern": "w, wf, wwwf, wwwwwf",
    "window_rope_theta": "none, 10000, 100000",
    "rotary_share": "0.25, 0.5, 1",
    "attention_scale": "none, 0.0625, 0.125",
    "attention_softcap": "none, 50",
    "logit_softcap": "none, 30",
    "embedding_scale": "1, 12, 16",
    "residual_scale": "1, 0.22",
    "logit_scale": "1, 0.125",
    "n_experts": "0, 4, 8, 16",
    "experts_per_token": "1, 2, 4",
    "n_shared_experts": "0, 1, 2",
    "d_shared": "none, 512, 1024",
    "n_dense_layers": "0, 1, 2",
    "d_dense": "none, 1024, 2048",
    "routed_scale": "1, 2.5",
    "n_expert_groups": "1, 2, 4",
    "groups_per_token": "1, 2",
    "kv_lora_rank": "none, 64, 128, 256",
    "q_lora_rank": "none, 256, 512",
    "qk_rope_head_dim": "16, 32, 64",
    "v_head_dim": "none, 64, 128",
}


def knob_of(name: str) -> Knob:
    """Return the knob of a field; raises ValueError for an unknown name."""
    if not isinstance(name, str) or name not in KNOBS:
        raise ValueError(
            f"{shown(name)} is not a knob: it must be one of {', '.join(KNOBS)}; embedding_ratio would work"
        )
    return KNOBS[name]


def parse_values(name: str, text: str) -> tuple[Value, ...]:
    """Parse the values of a knob, in the order of the text and without duplicates.

    >>> parse_values("embedding_ratio", "0.2..0.5 in 7 steps")
    (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
    >>> parse_values("total_params", "10M..1B x 5 (log)")
    (10000000, 31620000, 100000000, 316200000, 1000000000)
    >>> parse_values("n_heads", "auto, 4..8 x 3"), parse_values("n_layers", "none, 12")
    (('auto', 4, 6, 8), (None, 12))

    Values within a range are rounded to four significant digits, or to more if that merged two of them.
    Raises ValueError, with the name of the knob, for text that cannot be parsed and values outside its limits.
    """
    knob = knob_of(name)
    try:
        return tuple(_read(knob, text))
    except FieldError:
        raise
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def default_values(name: str) -> str:
    """Return default values as text: every option of a choice, both positions of a switch."""
    knob = knob_of(name)
    return _DEFAULTS.get(name) or ("true, false" if isinstance(knob.default, bool) else ", ".join(knob.words))


def write_value(name: str, value: Value) -> str:
    """Write a value as `parse_values` reads it.

    >>> write_value("total_params", 31_620_000), write_value("n_layers", None), write_value("glu_expansion", 4.0)
    ('31.62M', 'none', '4')
    """
    return "none" if value is None else KNOBS[name].write(value)


def label_value(name: str, value: Value) -> str:
    """Write a value as a chart label.

    >>> label_value("vocab_size", 50_257), label_value("tied_lm_head", False), label_value("ffn", "swiglu")
    ('50,257', 'untied', 'SwiGLU')
    """
    if isinstance(value, bool):
        return ("tied" if value else "untied") if name == "tied_lm_head" else ("on" if value else "off")
    if value is None:
        return "open"
    words = KNOBS[name].words
    if isinstance(value, str):
        return words.get(value, value)
    return KNOBS[name].display(value)


def _read(knob: Knob, text: str) -> dict[Value, None]:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"there are no values; write some such as {default_values(knob.field)}")
    values: dict[Value, None] = {}
    written = 0
    for part in text.split(","):
        found = _part(knob, part.strip())
        values |= dict.fromkeys(found)
        written += len(found)  # duplicates take time too
        if written > MOST_VALUES:
            raise ValueError(f"there are more than {MOST_VALUES:,} values; at most {MOST_VALUES:,} would work")
    return values


def _part(knob: Knob, part: str) -> list[Value]:
    if ".." not in part:
        return [_single(knob, part)]
    if isinstance(knob.default, bool | str):
        raise ValueError(f"{part[:40]!r} is a range of words; write them one by one: {default_values(knob.field)}")
    found = _RANGE.fullmatch(part) if len(part) <= 120 else None
    if not found:
        raise ValueError(f"{part[:40]!r} is not a range; write one such as 2..4 in 5 steps, or 10..1000 x 5 (log)")
    count = int(found["count"])
    if not 2 <= count <= MOST_VALUES:
        raise ValueError(f"{part[:40]!r} asks for {count:,} values; a range has 2 to {MOST_VALUES:,}")
    first, last = _single(knob, found["first"]), _single(knob, found["last"])
    log = (found["scale"] or "").lower() == "log"
    return [knob.from_text(text) for text in _spaced(_end(first), _end(last), count, log, _is_whole(knob))]


def _single(knob: Knob, text: str) -> Value:
    if not text:
        raise ValueError("a value is missing between two commas")
    if text.lower() == "none" and knob.unset:
        return None
    return knob.from_text(text.lower() if knob.words else text)


def _end(value: Value) -> int | float:
    if not isinstance(value, int | float):
        end = "none" if value is None else value
        raise ValueError(f"{end!r} is not an end of a range: both ends must be numbers")
    return value


def _is_whole(knob: Knob) -> bool:
    return not knob.is_real


def _spaced(first: int | float, last: int | float, count: int, log: bool, whole: bool) -> list[str]:
    """Return `count` numbers from first to last as text."""
    if log and min(first, last) <= 0:
        raise ValueError(f"{first:g}..{last:g} is not a log range: both ends must be above 0")
    ends = (math.log(first), math.log(last)) if log else (float(first), float(last))
    steps = [ends[0] + (ends[1] - ends[0]) * step / (count - 1) for step in range(1, count - 1)]
    between = [math.exp(step) for step in steps] if log else steps
    for digits in range(4, 16):
        written = [_rounded(value, digits, whole) for value in (first, *between, last)]
        if len(set(written)) == count:
            break
    return [_exact(first), *written[1:-1], _exact(last)]


def _exact(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def _rounded(value: float, digits: int, whole: bool) -> str:
    short = float(f"{value:.{digits}g}")
    return str(round(short)) if whole else f"{short:.10g}"
