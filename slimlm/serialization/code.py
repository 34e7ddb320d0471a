"""Python and CLI code that reproduces a design or a named model."""

from dataclasses import asdict, fields

from slimlm.core.architecture import Choices
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.serialization.fields import LATER_FIELDS, values_of
from slimlm.serialization.flags import command


def python_code(subject: Subject) -> str:
    """Return Python code that reproduces this design or named model.

    Every field is written out, except `LATER_FIELDS` at their default.

    >>> from slimlm import ModelConfig, solve
    >>> python_code(solve(ModelConfig())).splitlines()[2:5]
    ['design = solve(', '    ModelConfig(', '        total_params=10_000_000,']
    """
    architecture = _call(subject.architecture)
    if isinstance(subject, NamedModel):
        return f"from slimlm import Architecture\n\narchitecture = {architecture}"
    request = _call(subject.config)
    if subject.solved:
        return f"from slimlm import ModelConfig, solve\n\ndesign = solve(\n{_indented(request)},\n)"
    parts = f"{_indented(request)},\n{_indented(architecture)},"
    return f"from slimlm import Architecture, Design, ModelConfig\n\ndesign = Design(\n{parts}\n)"


def _call(instance: Choices) -> str:
    written = [name for name in field_names(type(instance)) if name not in LATER_FIELDS or name in instance.changed()]
    lines = (f"    {name}={literal(getattr(instance, name))}," for name in written)
    return "\n".join([f"{type(instance).__name__}(", *lines, ")"])


def field_names(cls: type[Choices]) -> list[str]:
    """Return the names of a dataclass's fields, its own before those that it shares."""
    return sorted((field.name for field in fields(cls)), key=lambda name: name not in cls.__annotations__)


def literal(value: object) -> str:
    """Write a value as Python source, with underscores between thousands."""
    return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def command_line(design: Design) -> str | None:
    """Return the command that prints this design; None when no command has exactly its values.

    >>> from slimlm import ModelConfig, solve
    >>> (command_line(solve(ModelConfig(norm="rmsnorm"))) or "").partition("--multiple-of")[2]
    ' 1 --norm rmsnorm'
    """
    exact = values_of(design.config) == asdict(design.config)
    return command(design.config) if exact and design.solved else None
