"""Import and export of Hugging Face's config.json, without transformers."""

from slimlm.interop.config_text import MAX_BYTES
from slimlm.interop.hf.export_config import native_class, no_class_sentence, to_hf_config
from slimlm.interop.hf.import_config import FAMILIES, from_hf_config, parse_hf_config, unmodelled, unread

__all__ = [
    "FAMILIES",
    "MAX_BYTES",
    "from_hf_config",
    "native_class",
    "no_class_sentence",
    "parse_hf_config",
    "to_hf_config",
    "unmodelled",
    "unread",
]
