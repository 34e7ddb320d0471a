"""Hugging Face's config.json in and out, without transformers."""

from slimlm.hf.config_in import FAMILIES, MAX_BYTES, from_hf_config, parse_hf_config, unmodelled
from slimlm.hf.config_out import native_class, to_hf_config

__all__ = [
    "FAMILIES",
    "MAX_BYTES",
    "from_hf_config",
    "native_class",
    "parse_hf_config",
    "to_hf_config",
    "unmodelled",
]
