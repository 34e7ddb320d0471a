"""Reader of a Hugging Face config, with the keys and defaults of its model type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from slimlm.interop.hf.defaults import default_fields
from slimlm.utils.text import shown


@dataclass(frozen=True)
class Switch:
    """A boolean key."""

    default: bool
    when_true: dict[str, Any] = field(default_factory=dict)
    """Fields of Architecture that the key sets; a bias is added to those of the model type."""
    when_false: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Only:
    """A key whose other values no Architecture describes."""

    allowed: tuple[Any, ...]
    """Supported values; the first is the default."""
    reason: str


def _same(value: float) -> float:
    return value


@dataclass(frozen=True)
class Factor:
    """A key that scales or caps something by a number above 0; null leaves that out."""

    default: float | None
    field: str
    """Field of Architecture."""
    of: Callable[[float], float] = _same
    """Value of the key → value of the field."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Keys that say which layers attend to how many tokens."""

    key: str = "sliding_window"
    """Key of the number of tokens."""
    pattern: "Callable[[Reader, int], str]"
    """Reader and number of layers → the kinds of the layers, as `Architecture.layer_pattern`, if no list names them."""
    listed: bool = True
    """Whether the key layer_types may name the kind of every layer."""
    names: str = "layer_types"
    """Key that names the kind of every layer."""
    full: str = "f"
    """Kind of the layers without a window."""
    without: str | None = "f"
    """Kind of all layers where no window is given; None for a type whose pattern holds then too."""
    local_base: tuple[str, float] | None = None
    """Key of the rotary base in layers with a window, and its default."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One model type: its keys, their defaults, and the structure of the model."""

    model_type: str
    classes: str
    """Class names in the key `architectures`, separated by spaces."""
    keys: dict[str, str]
    """Field of Architecture (and "activation") → its key in the config, and after spaces the key's other names."""
    rates: dict[str, Any] = field(default_factory=dict)
    """Defaults of fields that few types have, and of real-valued fields where they are not dropout 0, epsilon 1e-5 and
    rotary base 10,000."""
    fixed: dict[str, Any]
    """Fields of Architecture that the model type determines."""
    gated: bool = True
    """Whether the feed-forward has a gate."""
    switches: dict[str, Switch] = field(default_factory=dict)
    only: dict[str, Only] = field(default_factory=dict)
    factors: dict[str, Factor] = field(default_factory=dict)
    windows: Windows | None = None
    rotary_share: float | None = None
    """Default of the part of each head that is rotated, where the type has a key for it."""
    rope: dict[str, Any] = field(default_factory=dict)
    """What a config says about rotary positions that has no object for them."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Other name of a switch → its key."""
    nulls: str = ""
    """Keys, separated by spaces, that may be null although their default is not: derived when numbers, else false."""
    derive: "Callable[[Reader], dict[str, Any]] | None" = None
    """Return the fields that several keys determine together."""
    extras: dict[str, Any] = field(default_factory=dict)
    """Further keys with their defaults; they do not affect parameter counts."""
    quirks: tuple[str, ...] = ()
    """Properties of every model of this type that an Architecture does not describe."""

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Field of Architecture (and "activation") → default; None when it is derived."""
        rates = {"dropout": 0.0, "attention_dropout": 0.0, "layer_norm_eps": 1e-5, "rope_theta": 10_000.0}
        return default_fields(self.model_type) | rates | self.rates

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Config key → default."""
        by_field = {self.keys[name].split()[0]: value for name, value in self.fields.items() if name in self.keys}
        by_switch: dict[str, Any] = {key: switch.default for key, switch in self.switches.items()}
        by_switch |= {key: factor.default for key, factor in self.factors.items()}
        return by_field | by_switch | {key: only.allowed[0] for key, only in self.only.items()} | self.extras


class Reader:
    """A config under any name of its keys, with its model type's defaults for the keys left out."""

    def __init__(self, family: Family, given: Mapping[str, Any]) -> None:
        self.family = family
        for outer in {key.partition(".")[0] for key in family.defaults if "." in key}:
            if not isinstance(given.get(outer), Mapping | None):
                raise not_allowed(outer, given[outer], "it must be an object or null")
        inner = {key: value for key, value in given.items() if isinstance(value, Mapping)}
        nested = {f"{key}.{name}": value for key, values in inner.items() for name, value in values.items()}
        named = {key: given[alias] for alias, key in family.aliases.items() if alias in given}
        self._given = {**named, **given, **nested}

    def get(self, key: str) -> Any:
        """Return the value of a key, or its default."""
        return self._given.get(key, self.family.defaults.get(key))

    def key(self, name: str) -> str:
        """Return the key that gives a field, by the name that the config uses.

        Raises ValueError when the config gives it twice, under two names with two values.
        """
        names = self.family.keys[name].split()
        used = [key for key in names if self._given.get(key) is not None]
        for key in used[1:]:
            if self._given[key] != self._given[used[0]]:
                both = " and ".join(f"{key}={shown(self._given[key])}" for key in used)
                raise ValueError(f"{both} contradict each other: they are two names of one key; keep one of them")
        return used[0] if used else names[0]

    def whole(self, name: str) -> int | None:
        """Return an integer field; None when it is derived or has no key.

        Raises ValueError for anything but a whole number, and for null where nothing can be derived.
        """
        if name not in self.family.fields:
            return None
        key, default = self.key(name), self.family.fields[name]
        value, optional = self._given.get(key, default), default is None or key in self.family.nulls.split()
        if isinstance(value, bool) or not isinstance(value, int | None) or (value is None and not optional):
            example = "" if default is None else f" such as {default}"
            raise not_allowed(key, value, f"it must be a whole number{example}{' or null' if optional else ''}")
        return value

    def switch(self, key: str) -> bool:
        """Return a boolean key.

        Raises ValueError for anything else.
        """
        value = self.get(key)
        if value is None and key in self.family.nulls.split():
            return False
        if not isinstance(value, bool):
            raise not_allowed(key, value, "it must be true or false")
        return value

    def real(self, name: str) -> Any:
        """Return a real-valued field without checking it; null means the default."""
        value = self._given.get(self.key(name)) if name in self.family.keys else None
        return self.family.fields[name] if value is None else value

    def rope(self) -> Mapping[str, Any]:
        """Return what the config says about rotary positions in an object of their own; by kind of layer, in full ones.

        Raises ValueError when that is no object.
        """
        key = "rope_scaling" if self.get("rope_scaling") else "rope_parameters"
        found = self.get(key) or self.family.rope
        if isinstance(found, Mapping):
            found = found.get("full_attention") or found
        if not isinstance(found, Mapping):
            raise not_allowed(key, found, 'it must be an object such as {"rope_theta": 10000.0} or null')
        return found


def not_allowed(key: str, value: object, rule: str) -> ValueError:
    """Return the error for a value that breaks a rule."""
    return ValueError(f"{key}={shown(value)} is not allowed: {rule}")


def not_supported(key: str, value: object, reason: str) -> ValueError:
    """Return the error for a value that no Architecture describes."""
    return ValueError(f"{key}={shown(value)} is not supported: {reason}")
