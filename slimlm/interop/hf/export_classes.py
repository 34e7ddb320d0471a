"""Classes of Hugging Face transformers, with the architectures that each can express and its config keys.

Checked against the configuration and modelling files of transformers 5.23 (src/transformers/models/*); 4.57 builds the
same from the same keys. A class without a key for a dropout loses it: that changes training alone, neither the
shapes nor the outputs.
"""

from slimlm.interop.hf.export_base import USUAL, NativeClass, Options
from slimlm.interop.hf.export_gated import GATED_CLASSES
from slimlm.interop.hf.export_plain import PLAIN_CLASSES
from slimlm.interop.hf.export_variants import VARIANTS

__all__ = ["NATIVE", "USUAL", "NativeClass", "Options"]

NATIVE = (*GATED_CLASSES, *PLAIN_CLASSES, *VARIANTS)
"""Classes, those that more tools support first. The first class that fits an architecture is chosen."""
