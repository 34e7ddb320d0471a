"""Reader of a file of keys that belong to another program, which keeps account of what it reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.utils.text import listed, shown
from slimlm.utils.validation import FieldError

_MOST_KEYS, _LONGEST_LIST = 8, 140
"""Keys, and characters of a list of them, that one phrase names."""


@dataclass(frozen=True)
class ReadConfig:
    """What a file of another program says: an architecture, how it was read, and what the architecture lacks."""

    architecture: Architecture
    unread: tuple[str, ...]
    """What the file was taken for, what was not read, and what was left at a default: short phrases."""
    unmodelled: tuple[str, ...] = ()
    """Properties without parameters that the architecture does not describe."""


class ForeignReader:
    """A file of keys, with the defaults of the program that reads it; it remembers which keys were asked for."""

    def __init__(self, given: Mapping[str, Any], owner: str, defaults: Mapping[str, Any]) -> None:
        self.owner, self._given, self._defaults = owner, given, defaults
        self._used: set[str] = set()

    def get(self, key: str) -> Any:
        """Return the value of a key, or the program's default for one that is missing or null."""
        self._used.add(key)
        value = self._given.get(key)
        return self._defaults.get(key) if value is None else value

    def whole(self, key: str) -> Any:
        """Return a whole number of at least 1, or None where that is the default.

        Raises ValueError for anything else.
        """
        value = self.get(key)
        if value is None and key in self._defaults:
            return None
        if value is None:
            raise ValueError(
                f"{key} is missing: {self.owner} has no default for it; {key} as a whole number would work"
            )
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**15:
            rule = "it must be a whole number between 1 and 1,000,000,000,000,000"
            raise ValueError(f"{key}={shown(value)} is not allowed: {rule}")
        return value

    def real(self, key: str) -> Any:
        """Return a number above 0, or None where that is the default.

        Raises ValueError for anything else.
        """
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10**15:
            raise ValueError(f"{key}={shown(value)} is not allowed: it must be a number above 0")
        return float(value)

    def flag(self, key: str) -> bool:
        """Return a boolean key.

        Raises ValueError for anything else.
        """
        value = self.get(key)
        if not isinstance(value, bool):
            raise ValueError(f"{key}={shown(value)} is not allowed: it must be true or false")
        return value

    def option(self, key: str, options: Mapping[Any, str]) -> str:
        """Return what a key's value stands for.

        Raises ValueError, with the values that would work, for any other value.
        """
        value = self.get(key)
        if not isinstance(value, str | bool | int | None) or value not in options:
            working = " or ".join(f"{key}={shown(option)}" for option in options if option is not None)
            raise ValueError(f"{key}={shown(value)} is not supported by slimlm: {working} would work")
        return options[value]

    def passed_over(self, keys: str) -> None:
        """Mark keys, separated by spaces, as known and without effect on the architecture."""
        self._used.update(keys.split())

    def build(self, names: Mapping[str, str], **fields: Any) -> Architecture:
        """Return an architecture; errors are about `names`, the file's key of each field that has one."""
        try:
            return Architecture(**fields)
        except FieldError as error:
            from slimlm.interop.hf.remedies import with_working_remedies  # its package reads files with this reader

            raise with_working_remedies(error, fields, {}).renamed(names) from None

    def left_over(self, sizes: str) -> Iterator[str]:
        """Yield what was not read: unknown keys, and `sizes` (keys, separated by spaces) that the file leaves out."""
        unknown = [key for key, value in self._given.items() if key not in self._used and value not in (None, {}, [])]
        if unknown:
            yield not_keys_of(unknown, self.owner)
        omitted = [key for key in sizes.split() if self._given.get(key) is None and self._defaults.get(key) is not None]
        if omitted:
            yield from defaults_of([(key, self._defaults[key]) for key in omitted], self.owner)


def not_keys_of(keys: list[str], owner: str) -> str:
    """Say that some keys are unknown.

    >>> not_keys_of(["dim"], "llama"), not_keys_of(["dim", "n_layers"], "llama")
    ('dim is no key of llama, and is not read', 'dim and n_layers are not keys of llama, and are not read')
    """
    verbs = ("is no key", "is") if len(keys) == 1 else ("are not keys", "are")
    return f"{listed_keys(keys)} {verbs[0]} of {owner}, and {verbs[1]} not read"


def defaults_of(values: Sequence[tuple[str, Any]], owner: str) -> Iterator[str]:
    """Say which sizes are defaults, in phrases that a link can hold.

    >>> list(defaults_of([("hidden_size", 4096)], "llama"))
    ['hidden_size 4,096 is a default of llama, not in the config']
    """
    said = [f"{key} {value:,}" if type(value) is int else f"{key} {shown(value)}" for key, value in values]
    while said:
        some = next(some for n in range(len(said), 0, -1) if len(listed(some := said[:n])) < _LONGEST_LIST or n == 1)
        said = said[len(some) :]
        yield f"{listed(some)} {'is a default' if len(some) == 1 else 'are defaults'} of {owner}, not in the config"


def listed_keys(keys: Sequence[str]) -> str:
    """Return the first keys in printable characters, and the number of the others.

    >>> listed_keys(["dim", "n_layers"]), listed_keys(list("abcdefghij"))
    ('dim and n_layers', 'a, b, c, d, e, f, g, h and 2 more')
    """
    names = [shown(str(key), 60).strip('"') for key in keys[:_MOST_KEYS]]
    while len(names) > 1 and sum(map(len, names)) > _LONGEST_LIST:
        names.pop()
    more = len(keys) - len(names)
    return listed([*names, f"{more:,} more"] if more else names)
