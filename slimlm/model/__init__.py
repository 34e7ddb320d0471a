"""The PyTorch model: layers, initialisation, streaming, and weight files."""

from slimlm.model.language_model import LanguageModel

__all__ = ["LanguageModel"]
