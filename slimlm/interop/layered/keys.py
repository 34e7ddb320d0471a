"""Values of a config by key, with the defaults of its model type."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slimlm.interop.hf.family import not_allowed, not_supported

MOST = 10**9
"""Largest size that a key may give."""

MOST_LAYERS = 4096
"""Most layers: each is counted by itself."""


class Keys:
    """A config's values, each checked when it is read.

    `asked` holds the keys that were read, `given` those of them that the config gives under any name, and `used` the
    names that it gives them, with their values.
    """

    def __init__(self, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self._given, self._defaults = given, defaults
        self.used: dict[str, Any] = {}
        self.asked: set[str] = set()
        self.given: set[str] = set()

    def get(self, key: str, *others: str) -> Any:
        """Return a value under its key or another name of it; null counts as given where the default is null."""
        self.asked.add(key)
        for name in (key, *others):
            if self._given.get(name) is not None:
                self.given.add(key)
                self.used[name] = self._given[name]
                return self._given[name]
        return self._defaults.get(key)

    def whole(self, key: str, *others: str, least: int = 1) -> int:
        """Return a whole number; raises ValueError for anything else."""
        return self.checked(key, self.get(key, *others), least)

    def optional(self, key: str, *others: str, least: int = 1) -> int | None:
        """Return a whole number, or None where the config says null or leaves out what is null by default.

        Raises ValueError for anything else.
        """
        if key in self._given and self._given[key] is None:
            self.asked.add(key)
            self.given.add(key)
            self.used[key] = None
            return None
        return None if self.get(key, *others) is None else self.whole(key, *others, least=least)

    def checked(self, key: str, value: object, least: int = 1) -> int:
        """Return a value that is a whole number within limits; raises ValueError for anything else."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
            example = self._defaults.get(key)
            known = f" such as {example}" if isinstance(example, int) else ""
            raise not_allowed(key, value, f"it must be a whole number between {least} and {MOST:,}{known}")
        return value

    def real(self, key: str, *others: str) -> float:
        """Return a positive number; raises ValueError for anything else."""
        value = self.get(key, *others)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
            raise not_allowed(key, value, "it must be a number above 0")
        return value

    def switch(self, key: str, *others: str) -> bool:
        """Return true or false; raises ValueError for anything else."""
        value = self.get(key, *others)
        if not isinstance(value, bool):
            raise not_allowed(key, value, "it must be true or false")
        return value

    def depth(self, key: str, *others: str) -> int:
        """Return the number of layers; raises ValueError beyond `MOST_LAYERS`."""
        count = self.whole(key, *others)
        if count > MOST_LAYERS:
            raise not_allowed(key, count, f"it must be at most {MOST_LAYERS:,}")
        return count

    def kinds(self, key: str, allowed: Sequence[str]) -> list[str] | None:
        """Return a list with the kind of each layer, or None where there is none.

        Raises ValueError for a list that is empty, too long or has other kinds.
        """
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_LAYERS:
            raise not_allowed(key, value, f"it must be a list of 1 to {MOST_LAYERS:,} kinds of layer")
        others = [kind for kind in value if kind not in allowed]  # null may be one
        if others:
            raise not_supported(key, others[0], f"the kinds of layer are {', '.join(allowed)}")
        return value

    def kind_of_each(self, key: str, allowed: Sequence[str], default: Callable[[int], str]) -> list[str]:
        """Return the kind of each of `num_hidden_layers` layers; `default` has that of a layer by its number.

        Raises ValueError for a list of another length or with other kinds.
        """
        depth, given = self.depth("num_hidden_layers"), self.kinds(key, allowed)
        if given is not None and len(given) != depth:
            raise not_allowed(key, f"{len(given)} kinds", f"there must be one for each of {depth} layers")
        return [default(number) for number in range(depth)] if given is None else given

    def numbers(self, key: str) -> set[int] | None:
        """Return a list of the numbers of layers, or None where there is none; raises ValueError for anything else."""
        value = self.get(key)
        if value is None:
            return None
        whole = isinstance(value, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
        if not whole or len(value) > MOST_LAYERS:
            raise not_allowed(key, value, "it must be a list of the numbers of layers")
        return set(value)

    def chosen(self, key: str, count_key: str, count: int, *others: str) -> int:
        """Return the experts that a token is sent to; raises ValueError for more than there are."""
        value = self.whole(key, *others)
        if value > count:
            raise not_allowed(key, value, f"it must be at most {count_key}={count}")
        return value

    def divided(self, key: str, whole: int, part_key: str, part: int) -> int:
        """Return a number divided by another; raises ValueError when that is not whole."""
        if whole % part:
            raise not_allowed(part_key, part, f"it must divide {key}={whole}")
        return whole // part
