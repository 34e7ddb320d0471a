"""slimlm's models in lm_eval, EleutherAI's evaluation harness: every task of it, for every architecture."""

from typing import TYPE_CHECKING

from slimlm.evaluation.sample import TextCoder
from slimlm.model.language_model import LanguageModel
from slimlm.utils.optional import need

if TYPE_CHECKING:
    from lm_eval.api.model import LM


def lm_eval_model(model: LanguageModel, tokenizer: TextCoder) -> "LM":
    """Return a model for `lm_eval.simple_evaluate(model=…)`.

    It scores log-likelihoods and rolling log-likelihoods, and generates greedily. A token that starts a document stands
    before every context.

    Raises PackageError when lm_eval is not installed.
    """
    need("evaluation by lm_eval", "lm_eval")
    from slimlm.evaluation.lm_eval_adapter import SlimlmLM

    return SlimlmLM(model, tokenizer)
