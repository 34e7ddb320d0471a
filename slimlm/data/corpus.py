"""Corpora: text that is tokenised once into memory-mapped files, with a manifest that tells what they were made of."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slimlm.data.documents import Paths, find_sources
from slimlm.data.manifest import (
    FILE,
    LENGTHS_FILE,
    TOKENIZER_FILE,
    Manifest,
    Split,
    check_corpus_files,
    file_sha256,
    read_manifest,
    tokens_file,
)
from slimlm.data.splitting import OUT_OF_DOMAIN, TRAIN, VALIDATION
from slimlm.data.survey import (
    SMALLEST_HELDOUT,
    CorpusText,
    Survey,
    TextDigest,
    survey_text,
    too_little_heldout,
    training_text,
)
from slimlm.data.token_data import TokenData, Tokens, token_dtype
from slimlm.data.tokenizer import Tokenizer, check_size_of_vocabulary, train_tokenizer
from slimlm.data.writing import SplitWriters, check_free_space, new_folder
from slimlm.utils.progress import Progress, Reporter
from slimlm.utils.text import shown
from slimlm.utils.validation import FieldError

_LARGEST_SHARE = 0.5
_LONGEST_HEADER = 10_000


def prepare_corpus(
    paths: Paths,
    folder: str | Path,
    *,
    vocab_size: int,
    tokenizer: Tokenizer | None = None,
    field: str = "text",
    heldout_share: float = 0.025,
    out_of_domain: Sequence[str] = (),
    progress: Progress | None = None,
) -> TokenData:
    """Tokenise text files into a folder, or open the folder if it holds the corpus of the same request and text.

    The last `heldout_share` of each document, from a paragraph on if one begins there, is the split "validation";
    documents too small for that are held out whole or not at all, by a hash of their text. Documents whose names
    contain one of `out_of_domain` are the split of that name. The tokenizer is trained on the training split alone,
    at exactly `vocab_size` tokens, unless one is given. The folder is written whole or not at all; one document and
    some 200 MB are in memory at a time.

    Raises ValueError, in one sentence, for files that `read_documents` refuses, a vocabulary or split that the text
    does not support, a folder of something else, a damaged corpus, and a full disk.
    """
    _check_request(vocab_size, tokenizer, heldout_share)
    folder, sources = Path(folder), find_sources(paths)
    names = sorted([out_of_domain] if isinstance(out_of_domain, str) else out_of_domain)
    request = {
        "vocab_size": vocab_size,
        "tokenizer": tokenizer.digest if tokenizer else None,
        "field": field,
        "heldout_share": heldout_share,
        "out_of_domain": names,
        "sources": [[source.name, source.sha256()] for source in sources],
    }
    try:
        if not (folder / FILE).exists():
            _make(folder, CorpusText(sources, field, Reporter(progress)), request, tokenizer)
    except ValueError:
        if not (folder / FILE).exists():  # else another process has made it meanwhile
            raise
    _check_same(folder, request)
    return open_corpus(folder)


def open_corpus(folder: str | Path, verify: bool = True) -> TokenData:
    """Open a tokenised corpus; its tokens stay on the disk and are read as they are used.

    Raises ValueError, in one sentence, for a folder without a corpus, and for files of another size or, with
    `verify`, of another content than the manifest says.
    """
    folder = Path(folder)
    if not (folder / FILE).is_file():
        raise ValueError(f"{folder} holds no corpus: it has no {FILE}")
    manifest = read_manifest(folder)
    check_corpus_files(folder, manifest, verify=verify)
    dtype = np.dtype(token_dtype(manifest.vocab_size)).newbyteorder("<")

    def tokens(split: str) -> Tokens:
        if not manifest.splits[split].tokens:
            raise ValueError(f"{folder / tokens_file(split)} is empty: a split with tokens would work")
        return np.memmap(folder / tokens_file(split), dtype, "r", shape=(manifest.splits[split].tokens,))

    heldout = {name: tokens(name) for name in (VALIDATION, OUT_OF_DOMAIN) if name in manifest.splits}
    lengths = _lengths(folder / LENGTHS_FILE, manifest.vocab_size)
    return TokenData(manifest.name, manifest.vocab_size, tokens(TRAIN), heldout, lengths, manifest.digest)


def _lengths(file: Path, vocab_size: int) -> NDArray[np.int64]:
    """Return the lengths of all tokens (V,); raises ValueError for a file that holds anything else."""
    try:
        with file.open("rb") as content:
            found = np.lib.format.read_array(content, allow_pickle=False, max_header_size=_LONGEST_HEADER)
        if found.shape == (vocab_size,) and found.dtype == np.int64 and found.min() >= 0:
            return found
    except (EOFError, OSError, SyntaxError, TypeError, ValueError, MemoryError):
        pass
    raise ValueError(f"{file} is damaged: it must have {vocab_size:,} 64-bit integers of at least 0")


def _check_request(vocab_size: int, tokenizer: Tokenizer | None, heldout_share: float) -> None:
    check_size_of_vocabulary(vocab_size)
    if tokenizer and tokenizer.vocab_size > vocab_size:
        rule = f"it must be at least the {tokenizer.vocab_size:,} tokens of the tokenizer"
        raise FieldError("vocab_size", vocab_size, rule, (("vocab_size", tokenizer.vocab_size),))
    if not isinstance(heldout_share, int | float) or not 0 < heldout_share <= _LARGEST_SHARE:
        rule = f"it must be above 0 and at most {_LARGEST_SHARE}"
        raise FieldError("heldout_share", heldout_share, rule, (("heldout_share", 0.025),))


def _check_same(folder: Path, request: Mapping[str, Any]) -> None:
    """Raise ValueError when a folder holds the corpus of another request."""
    found = read_manifest(folder).request
    for name, value in request.items():
        if found.get(name) != value:
            other = "other text" if name == "sources" else f"{name}={shown(found.get(name))}, not {shown(value)}"
            raise ValueError(f"{folder} holds the corpus of {other}: another folder, or deleting this one, would work")


def _make(folder: Path, text: CorpusText, request: Mapping[str, Any], tokenizer: Tokenizer | None) -> None:
    """Make a corpus that does not exist yet."""
    vocab_size: int = request["vocab_size"]
    survey = survey_text(text, request["heldout_share"], request["out_of_domain"])
    with new_folder(folder) as temporary:
        check_free_space(folder, survey.most_tokens * np.dtype(token_dtype(vocab_size)).itemsize)
        tokenizer = tokenizer or train_tokenizer(training_text(text, survey.rule), vocab_size)
        splits = _write_splits(temporary, text, survey, tokenizer, vocab_size)
        _write_rest(temporary, text.name, tokenizer, request, survey, splits)
    text.report(1.0, "tokenising")


def _write_splits(
    folder: Path, text: CorpusText, survey: Survey, tokenizer: Tokenizer, vocab_size: int
) -> Mapping[str, Split]:
    """Write the tokens of all splits and return what each holds."""
    digest = TextDigest()
    with SplitWriters(folder, tokenizer, vocab_size) as writers:
        for document in text.documents("tokenising", 0.4, 1.0):
            digest.add(document.text)
            for split, part in survey.rule.parts(document):
                writers.add(split, part)
    splits = writers.splits
    if digest.hexdigest() != survey.sha256:
        raise ValueError("the text changed while it was being tokenised: running it again would work")
    if (found := splits[VALIDATION].tokens) < SMALLEST_HELDOUT:
        raise too_little_heldout(found, f"the text has {survey.text_bytes:,} bytes")
    return splits


def _write_rest(
    folder: Path,
    name: str,
    tokenizer: Tokenizer,
    request: Mapping[str, Any],
    survey: Survey,
    splits: Mapping[str, Split],
) -> None:
    """Write the tokenizer, the lengths of its tokens and the manifest."""
    vocab_size: int = request["vocab_size"]
    tokenizer.save(folder / TOKENIZER_FILE)
    lengths = np.zeros(vocab_size, dtype="<i8")
    lengths[: tokenizer.vocab_size] = tokenizer.lengths
    np.save(folder / LENGTHS_FILE, lengths, allow_pickle=False)
    manifest = Manifest(
        name=name,
        request=request,
        vocab_size=vocab_size,
        bos_id=tokenizer.bos_id,
        documents=survey.documents,
        small_documents=survey.small_documents,
        out_of_domain_documents=survey.out_of_domain_documents,
        text_sha256=survey.sha256,
        tokenizer_sha256=tokenizer.digest,
        lengths_sha256=file_sha256(folder / LENGTHS_FILE),
        splits=splits,
        versions={package: version(package) for package in ("numpy", "tokenizers")},
    )
    (folder / FILE).write_text(manifest.to_json(), encoding="utf-8", newline="")
