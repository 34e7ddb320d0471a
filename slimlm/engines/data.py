"""Tokens of a study: tokenised text or generator settings below data/, or elsewhere on this machine.

The tokens for models of vocabulary size V are in data/V/: a corpus, or a generator.json with the settings of the
generated source. A file local.json, {"data": {"V": "/path"}}, names another folder for a corpus on this machine.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from slimlm.data.corpus import open_corpus
from slimlm.data.synthetic import known_entropy
from slimlm.data.token_data import TokenData
from slimlm.runs.record import read_record, write_record
from slimlm.study.study import Study, StudyData
from slimlm.utils.text import shown

DATA, LOCAL, GENERATOR = "data", "local.json", "generator.json"
_MOST_GENERATED = 200_000_000
"""Generated tokens, which take some 10 bytes each while they are made."""
_CHUNK = 2**22
"""Tokens that are counted at a time."""


def study_data(tokens: TokenData) -> StudyData:
    """Return what a study records of its tokens; reads the training split once."""
    return StudyData(
        name=tokens.name,
        digest=tokens.digest,
        vocab_size=tokens.vocab_size,
        train_tokens=len(tokens.train),
        unit=tokens.unit,
        entropy=tokens.entropy,
        units_per_token=_units_per_token(tokens),
    )


def _units_per_token(tokens: TokenData) -> float:
    counts = np.zeros(tokens.vocab_size, dtype=np.int64)
    for start in range(0, len(tokens.train), _CHUNK):
        found = np.bincount(tokens.train[start : start + _CHUNK], minlength=tokens.vocab_size)
        if len(found) > tokens.vocab_size:
            raise ValueError(
                f"{tokens.name} holds the id {len(found) - 1:,}: ids below vocab_size={tokens.vocab_size:,} would work"
            )
        counts += found
    return float(counts @ tokens.token_lengths) / len(tokens.train)


def data_folder(folder: Path, vocab_size: int) -> Path:
    """Return the folder of a study's tokens for models of a vocabulary size, which may not be there.

    Raises ValueError for a local.json that is damaged.
    """
    local = read_record(folder / LOCAL) or {}
    places = local.get("data", {})
    if not isinstance(places, Mapping) or not all(isinstance(place, str) for place in places.values()):
        raise ValueError(f'{LOCAL} has data={shown(places)}: paths by vocabulary size, {{"4096": "/path"}}, would work')
    return folder / str(places.get(str(vocab_size), f"{DATA}/{vocab_size}"))


def write_generator(
    folder: Path, vocab_size: int, *, seed: int = 0, train_tokens: int = 1_000_000, heldout_tokens: int = 100_000
) -> TokenData:
    """Write the settings of a generated source into a study's folder, and return its tokens.

    Raises FieldError as `known_entropy` does.
    """
    settings = {"seed": seed, "train_tokens": train_tokens, "heldout_tokens": heldout_tokens}
    found = known_entropy(vocab_size, **settings)
    home = folder / DATA / str(vocab_size)
    home.mkdir(parents=True, exist_ok=True)
    write_record(home / GENERATOR, settings)
    return found


def write_places(folder: Path, places: Mapping[int, Path]) -> None:
    """Write where on this machine the corpora of a study are, by vocabulary size, as absolute paths."""
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / LOCAL, {"data": {str(size): str(path.resolve()) for size, path in places.items()}})


def open_tokens(folder: Path, study: Study, vocab_size: int) -> TokenData:
    """Open a study's tokens for models of a vocabulary size.

    Raises ValueError, in one sentence, when they are missing, damaged, or not those that the study was made for.
    """
    if (data := study.data.get(vocab_size)) is None:
        raise ValueError(f"the study has no data for vocab_size={vocab_size}")
    home = data_folder(folder, vocab_size)
    tokens = _tokens(home, data)
    if tokens.digest != data.digest:
        raise ValueError(
            f"the data of vocab_size={vocab_size} changed: its sha256 is {tokens.digest[:12]}…, the study's is "
            f"{shown(data.digest[:12])}; the data that the study was begun with, or a new study, would work"
        )
    return replace(tokens, name=data.name)  # records then agree wherever the tokens are


def _tokens(home: Path, data: StudyData) -> TokenData:
    if (settings := read_record(home / GENERATOR)) is not None:
        return _generated(home / GENERATOR, data.vocab_size, settings)
    if data.unit == "symbol":
        _check_count("train_tokens", data.train_tokens)
        return known_entropy(data.vocab_size, train_tokens=data.train_tokens)
    if not home.is_dir():
        raise ValueError(
            f"{home} is no folder with the tokens of the study: copying them there, or naming another folder in "
            f"{LOCAL}, would work"
        )
    return open_corpus(home)


def _generated(file: Path, vocab_size: int, settings: Mapping[str, Any]) -> TokenData:
    names = {"seed", "train_tokens", "heldout_tokens"}
    if settings.keys() != names or not all(type(value) is int for value in settings.values()):
        raise ValueError(
            f"{file} holds {shown(json.loads(json.dumps(settings)))}: whole numbers for {', '.join(sorted(names))} "
            "would work"
        )
    for name in ("train_tokens", "heldout_tokens"):
        _check_count(name, settings[name])
    return known_entropy(vocab_size, **settings)


def _check_count(name: str, count: int) -> None:
    """Refuse more generated tokens than memory holds: all are made at once."""
    if count > _MOST_GENERATED:
        raise ValueError(f"{name}={count:,} is not allowed: a generated source has at most {_MOST_GENERATED:,} tokens")


def check_data(folder: Path, study: Study) -> None:
    """Open all tokens of a study once; raises ValueError as `open_tokens` does."""
    for vocab_size in study.data:
        open_tokens(folder, study, vocab_size)
