"""All kinds of folders that are damaged."""

from tests.fuzz.checkpoints import CHECKPOINTS
from tests.fuzz.configs import CONFIGS
from tests.fuzz.corpora import CORPORA
from tests.fuzz.studies import STUDIES
from tests.fuzz.tokenizers import TOKENIZERS

KINDS = {kind.name: kind for kind in (CONFIGS, TOKENIZERS, CORPORA, STUDIES, CHECKPOINTS)}
