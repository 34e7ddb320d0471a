"""Remarks on the pinned models that come from configs: what was not read of them."""

from collections.abc import Iterable

from slimlm.compare.pins import Pin


def config_remarks(pins: Iterable[Pin]) -> tuple[tuple[str, str], ...]:
    """Return the name of a pin and a remark on it, for every remark.

    >>> from slimlm.core.architecture import Architecture
    >>> config_remarks([Pin(Architecture(d_model=8, d_ff=8, n_layers=1), "mine", ("dim is no key of llama",))])
    (('mine', 'dim is no key of llama'),)
    """
    return tuple((pin.name, remark) for pin in pins for remark in pin.remarks)
