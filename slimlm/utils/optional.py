"""Packages that slimlm does much without: what needs one of them says so in one sentence where it does not load."""

from importlib import import_module

TORCH, PSUTIL, SAFETENSORS, PICTURES, STREAMLIT = "torch", "psutil", "safetensors", "vl_convert", "streamlit"
_INSTALLED_AS = {PICTURES: "vl-convert-python"}
_MISSING = "is not installed"

_broken: dict[str, str] = {}
"""Why packages do not load, found out once: half of a broken one stays loaded, and fails otherwise the next time."""


class PackageError(ImportError, RuntimeError):
    """A package is not installed or does not load: the message says what needs it, and what would work."""


def need(what: str, *packages: str) -> None:
    """Load the packages that something needs.

    Raises PackageError, in one sentence, when one of them is not installed or broken.
    """
    if problem := problem_with(what, *packages):
        raise PackageError(problem)


def problem_with(what: str, *packages: str) -> str | None:
    """Load the packages that something needs; return why it cannot be had, None when all is well.

    >>> problem_with("the real model", "torch_of_tomorrow")
    'the real model needs torch_of_tomorrow, which is not installed; `pip install torch_of_tomorrow` would work'
    """
    for package in packages:
        if reason := _failure(package):
            name = _INSTALLED_AS.get(package, package)
            way_out = f"`pip install {name}`" if reason == _MISSING else "installing it anew"
            return f"{what} needs {name}, which {reason}; {way_out} would work"
    return None


def _failure(package: str) -> str | None:
    if package not in _broken:
        try:
            import_module(package)
        except Exception as error:  # whatever a broken package raises
            if isinstance(error, ModuleNotFoundError) and error.name == package:
                return _MISSING
            told = " ".join(str(error).split())[:200]
            _broken[package] = f"does not load ({type(error).__name__}{': ' * bool(told)}{told})"
    return _broken.get(package)
