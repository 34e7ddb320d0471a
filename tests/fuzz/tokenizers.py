"""Files of tokenizers: one that slimlm trained, one like GPT-2's, and one that belongs to an exported model."""

import json
import random
from pathlib import Path

import numpy as np

from slimlm.data.hf_tokenizer import export_tokenizer
from slimlm.data.tokenizer import load_tokenizer, train_tokenizer
from tests.fuzz.driver import Kind
from tests.fuzz.judge import Told

TEXT = "the whale swam under the old ship and the sea rose over us while a man sang of home — ½ é 😀\n\n"
_SPECIAL = {"id": 300, "content": "<|pad|>", "single_word": False, "lstrip": False, "rstrip": False}
_SPECIAL |= {"normalized": False, "special": True}


def make(home: Path) -> None:
    tokenizer = train_tokenizer([TEXT * 20], 290)
    for name in ("own", "added", "hf"):
        (home / name).mkdir()
        tokenizer.save(home / name / "tokenizer.json")
    record = json.loads(tokenizer.to_json())
    record["added_tokens"].append(_SPECIAL)
    record["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    record["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (home / "added" / "tokenizer.json").write_text(json.dumps(record))
    export_tokenizer(tokenizer, home / "hf", max_seq_length=64)
    (home / "hf" / "config.json").write_text(json.dumps({"model_type": "llama", "eos_token_id": 2}))
    (home / "hf" / "generation_config.json").write_text(json.dumps({"eos_token_id": 2}))


def use(folder: Path, draw: random.Random) -> None:
    """Read a tokenizer, use it on texts, and export it beside a config."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    for text in (TEXT, "", "a", "<|endoftext|> \0 \U0001f600" * 9):
        ids = tokenizer.encode(text)
        assert np.all(np.array(ids, dtype=np.int64) < tokenizer.vocab_size)
        tokenizer.decode(ids).encode()
    assert (
        tokenizer.lengths.sum() >= 0 and len(tokenizer.digest) == 64 and tokenizer.token_bytes(tokenizer.bos_id) == b""
    )
    try:
        export_tokenizer(tokenizer, folder, max_seq_length=64)
    except OSError as error:  # as it says
        raise Told(str(error)) from None


TOKENIZERS = Kind("tokenizer", make, use, plural="tokenizers")
