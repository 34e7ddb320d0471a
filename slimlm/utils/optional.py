"""Optional packages, with a clear error when one is missing or broken."""

from importlib import import_module

TORCH, PSUTIL, SAFETENSORS, PICTURES, STREAMLIT = "torch", "psutil", "safetensors", "vl_convert", "streamlit"
IPYWIDGETS, ANYWIDGET, NUMPY, ALTAIR, RAY = "ipywidgets", "anywidget", "numpy", "altair", "ray"
_INSTALLED_AS = {PICTURES: "vl-convert-python"}
_MISSING = "is not installed"

_broken: dict[str, str] = {}
"""Errors of packages that do not load. The first is kept: a second import fails differently, because half is loaded."""


class PackageError(ImportError, RuntimeError):
    """A package is missing or does not load. The message says what needs it and what would work."""


def need(what: str, *packages: str) -> None:
    """Load the packages that something needs; `what` names it in the error.

    Raises PackageError, in one sentence, when one of them is not installed or broken.
    """
    if problem := problem_with(what, *packages):
        raise PackageError(problem)


def problem_with(what: str, *packages: str) -> str | None:
    """Load the packages that something needs; return an error message, or None.

    >>> problem_with("the real model", "torch_of_tomorrow")
    'the real model needs torch_of_tomorrow, which is not installed; `pip install torch_of_tomorrow` would work'
    """
    for package in packages:
        if reason := _failure(package):
            name = _INSTALLED_AS.get(package, package)
            remedy = f"`pip install {name}`" if reason == _MISSING else "reinstalling it"
            return f"{what} needs {name}, which {reason}; {remedy} would work"
    return None


def _failure(package: str) -> str | None:
    if package not in _broken:
        try:
            import_module(package)
        except Exception as error:  # a broken package may raise anything
            if isinstance(error, ModuleNotFoundError) and error.name == package:
                return _MISSING
            message = " ".join(str(error).split())[:200]
            _broken[package] = f"does not load ({': '.join(filter(None, (type(error).__name__, message)))})"
    return _broken.get(package)
