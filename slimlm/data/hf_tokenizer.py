"""Tokenizer files for Hugging Face: what `AutoTokenizer.from_pretrained` reads beside an exported model."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from slimlm.data.tokenizer import Tokenizer
from slimlm.utils.files import read_bytes, read_json, reason, replacing
from slimlm.utils.text import is_unicode

_LARGEST_CONFIG = 1_000_000


def export_tokenizer(tokenizer: Tokenizer, folder: str | Path, *, max_seq_length: int | None = None) -> Path:
    """Write tokenizer.json and tokenizer_config.json into a folder that `AutoTokenizer` loads, and return the folder.

    The token that starts a document is both begin and end of text. Where the folder holds the config.json or the
    generation_config.json of a model, its id is written there as well, so that generation ends with a document. Unlike
    in slimlm, and as everywhere in transformers, the name of a special token within a text is that token.

    Raises ValueError for a config that cannot be read; OSError when the files cannot be written; existing files then
    stay unchanged.
    """
    path = Path(folder)
    content = tokenizer.to_json()
    files = {"tokenizer.json": content, "tokenizer_config.json": _json(_config(content, tokenizer, max_seq_length))}
    for name in ("config.json", "generation_config.json"):
        if (path / name).is_file():
            found = read_json(read_bytes(path / name, name, _LARGEST_CONFIG), name, _LARGEST_CONFIG)
            if not isinstance(found, dict):
                raise ValueError(f"{name} is not the config of a model: an object with fields and values would work")
            files[name] = _json(found | dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.bos_id))
    try:
        path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as parts:  # all files are complete before the first old one is replaced
            for name, text in files.items():
                parts.enter_context(replacing(path / name, follow=False)).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OSError(f"folder={str(path)!r} cannot be written: {reason(error)}; another folder would work") from error
    return path


def _config(content: str, tokenizer: Tokenizer, max_seq_length: int | None) -> dict[str, Any]:
    added = json.loads(content)["added_tokens"]
    name = next(token["content"] for token in added if token["id"] == tokenizer.bos_id)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": name,
        "eos_token": name,
        "clean_up_tokenization_spaces": False,
    }
    return config if max_seq_length is None else config | {"model_max_length": max_seq_length}


def _json(record: object) -> str:
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return (text if is_unicode(text) else json.dumps(record, indent=2)) + "\n"  # half a surrogate pair stays escaped
