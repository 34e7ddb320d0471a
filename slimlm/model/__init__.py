"""The PyTorch model: layers, initialisation, streaming, and weights in files."""

from slimlm.model.language_model import LanguageModel

__all__ = ["LanguageModel"]
