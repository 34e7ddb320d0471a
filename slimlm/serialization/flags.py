"""Command-line options: one for each field of a request."""

from dataclasses import dataclass, fields
from typing import Any

from slimlm.core.config import ModelConfig
from slimlm.serialization.fields import KNOBS, Knob, Value
from slimlm.utils.formatting import format_size
from slimlm.utils.validation import field_limits

_FLAGS = {"n_heads": "--heads", "n_kv_heads": "--kv-heads", "n_layers": "--layers"}
"""Flags that are not the field's name."""

_OFF = {
    "tied_lm_head": ("--untied", "Give the LM head a table of its own."),
    "normalise_router": (
        "--unnormalised-router",
        "Use the scores of the experts as they are, not divided by their sum.",
    ),
}
"""Flags and help texts of switches that are on unless given: each is named for what it does."""

_USUAL = ("vocab_size", "embedding_ratio", "glu_expansion", "n_heads", "n_layers", "max_seq_length", "multiple_of")
"""Fields that a command contains even at their default, so that it keeps its meaning when a default changes."""


@dataclass(frozen=True)
class Option:
    """One field of a request as a command-line option."""

    knob: Knob
    flag: str

    @property
    def is_switch(self) -> bool:
        """Whether the flag has no value: it selects the opposite of the default."""
        return isinstance(self.knob.default, bool)

    @property
    def metavar(self) -> str:
        """Placeholder of the value in the help text."""
        if self.knob.words:
            return "|".join(self.knob.words)
        if isinstance(self.knob.default, str):
            return "LETTERS"
        return "|".join([*field_limits(ModelConfig, self.knob.field).words, "N"])

    @property
    def help(self) -> str:
        """Documentation of the field, and its default."""
        if self.knob.field in _OFF:
            return _OFF[self.knob.field][1]
        default = None if self.is_switch else self.knob.default
        return self.knob.help if default is None else f"{self.knob.help} (default {default})"

    def read(self, text: str) -> Value:
        """Read the value from text; `ModelConfig` checks its limits.

        Raises ValueError for text of another kind: words where the field takes numbers.
        """
        return self.knob.read(text)

    def write(self, value: Any) -> str:
        """Return the option with this value; empty where the command does not need it.

        >>> OPTIONS["n_heads"].write(16_000), OPTIONS["tied_lm_head"].write(True), OPTIONS["norm"].write("rmsnorm")
        ('--heads 16k', '', '--norm rmsnorm')
        """
        if value is None or (value == self.knob.default and self.knob.field not in _USUAL):
            return ""
        if self.is_switch:
            return self.flag
        return f"{self.flag} {format_size(value) if isinstance(value, int) else self.knob.write(value)}"


def _option(name: str) -> Option:
    usual = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    return Option(KNOBS[name], _OFF[name][0] if name in _OFF else usual)


_OTHERS = [field.name for field in fields(ModelConfig) if field.name not in {*_USUAL, "total_params"}]

OPTIONS = {name: _option(name) for name in (*_USUAL, *_OTHERS)}
"""Every field except the total, which is the first argument of a command."""


def command(config: ModelConfig, name: str = "design") -> str:
    """Return the command of a name with the options of a request.

    >>> from slimlm.core.config import ModelConfig
    >>> print(command(ModelConfig(tied_lm_head=False)))
    python -m slimlm design 10M --vocab-size 16k --embedding-ratio 0.35 --glu-expansion 2.66 --heads 8 \
--max-seq-length 512 --multiple-of 1 --untied
    """
    options = filter(None, (option.write(getattr(config, name)) for name, option in OPTIONS.items()))
    return " ".join([f"python -m slimlm {name}", format_size(config.total_params), *options])
