"""Python and CLI code that reproduces a design or a named model."""

from dataclasses import asdict, fields

from slimlm.core.architecture import Choices
from slimlm.core.design import Design
from slimlm.core.named_model import NamedModel, Subject
from slimlm.core.published import PublishedModel
from slimlm.serialization.fields import LATER_FIELDS, values_of
from slimlm.serialization.flags import command


def python_code(subject: Subject, *imports: str) -> str:
    """Return Python code that reproduces this design or named model, as `design` or `architecture`.

    Every field is written out, except `LATER_FIELDS` at their default. `imports` are further public names of slimlm
    that the code imports.

    >>> from slimlm import ModelConfig, solve
    >>> python_code(solve(ModelConfig())).splitlines()[2:5]
    ['design = solve(', '    ModelConfig(', '        total_params=10_000_000,']
    """
    architecture = _call(subject.architecture)
    if isinstance(subject, NamedModel):
        return _importing("Architecture", *imports) + f"architecture = {architecture}"
    request = _call(subject.config)
    if subject.solved:
        return _importing("ModelConfig", "solve", *imports) + f"design = solve(\n{_indented(request)},\n)"
    parts = f"{_indented(request)},\n{_indented(architecture)},"
    return _importing("Architecture", "Design", "ModelConfig", *imports) + f"design = Design(\n{parts}\n)"


def _importing(*names: str) -> str:
    return f"from slimlm import {', '.join(sorted(names))}\n\n"


def _call(instance: Choices) -> str:
    usual = {field.name: field.default for field in fields(instance)}
    values = {name: getattr(instance, name) for name in field_names(type(instance))}
    written = {name: value for name, value in values.items() if name not in LATER_FIELDS or value != usual[name]}
    lines = (f"    {name}={literal(value)}," for name, value in written.items())
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


def export_command(subject: Subject) -> str:
    """Return the command that writes the checkpoint of a design, or of a published model, into a folder.

    >>> from slimlm import published_model
    >>> export_command(published_model("gpt2"))
    'python -m slimlm export gpt2 FOLDER'
    """
    if isinstance(subject, NamedModel):
        return (
            f"python -m slimlm export {subject.name if isinstance(subject, PublishedModel) else 'config.json'} FOLDER"
        )
    return f"{command(subject.config, 'export')} FOLDER"
