"""The options of the command line: how each field of a request is written there, and read back."""

from dataclasses import Field, dataclass, fields
from typing import Any, Literal

from slimlm.core.config import ModelConfig
from slimlm.utils.formatting import format_size, parse_number, parse_size
from slimlm.utils.validation import field_docs

_FLAGS = {"n_heads": "--heads", "n_kv_heads": "--kv-heads", "n_layers": "--layers", "tied_lm_head": "--untied"}
"""Flags that are not the field's name."""

_USUAL = ("vocab_size", "embedding_ratio", "glu_expansion", "n_heads", "n_layers", "max_seq_length", "multiple_of")
"""What a command says even where it is the default, so that it keeps its meaning when a default changes."""


@dataclass(frozen=True)
class Option:
    """One field of a request as an option; a switch stands alone and turns its default round."""

    field: str
    flag: str
    kind: Literal["size", "number", "word", "switch"]
    default: Any
    words: tuple[str, ...] = ()
    """Words that the field takes, instead of numbers or beside them."""

    @property
    def metavar(self) -> str:
        """What stands for the value in the help text."""
        return "|".join(self.words if self.kind == "word" else (*self.words, "N"))

    @property
    def help(self) -> str:
        """The field's docstring, and its default."""
        if self.field == "tied_lm_head":
            return "Give the LM head a table of its own."
        text = " ".join(field_docs(ModelConfig)[self.field].split())
        return text if self.default is None or self.kind == "switch" else f"{text} (default {self.default})"

    def read(self, text: str) -> Any:
        """Return the value that a text stands for, which `ModelConfig` has to judge.

        Raises ValueError for text that is neither one of the words nor a number, where the field takes numbers.
        """
        if self.kind == "word" or text in self.words:
            return text
        return parse_size(text) if self.kind == "size" else parse_number(text)

    def write(self, value: Any) -> str:
        """Return the option with this value, nothing where a command need not say it.

        >>> OPTIONS["n_heads"].write(16_000), OPTIONS["tied_lm_head"].write(True), OPTIONS["norm"].write("rmsnorm")
        ('--heads 16k', '', '--norm rmsnorm')
        """
        if value is None or (value == self.default and self.field not in _USUAL):
            return ""
        if self.kind == "switch":
            return self.flag
        return f"{self.flag} {format_size(value) if isinstance(value, int) else value}"


def _option(field: Field[Any]) -> Option:
    flag = _FLAGS.get(field.name, f"--{field.name.replace('_', '-')}")
    if field.type is bool:
        return Option(field.name, flag, "switch", field.default)
    if words := field.metadata.get("options"):
        return Option(field.name, flag, "word", field.default, words)
    kind: Literal["size", "number"] = "number" if field.type is float else "size"
    return Option(field.name, flag, kind, field.default, field.metadata["limits"].words)


_FIELDS = {field.name: field for field in fields(ModelConfig) if field.name != "total_params"}

OPTIONS = {name: _option(_FIELDS[name]) for name in (*_USUAL, *(name for name in _FIELDS if name not in _USUAL))}
"""Every field but the total, which a command names first."""


def command(config: ModelConfig) -> str:
    """Return the command that makes a request.

    >>> from slimlm.core.config import ModelConfig
    >>> print(command(ModelConfig(tied_lm_head=False)))
    python -m slimlm design 10M --vocab-size 16k --embedding-ratio 0.35 --glu-expansion 2.66 --heads 8 \
--max-seq-length 512 --multiple-of 1 --untied
    """
    options = filter(None, (option.write(getattr(config, name)) for name, option in OPTIONS.items()))
    return " ".join(["python -m slimlm design", format_size(config.total_params), *options])
