"""The class that lm_eval calls; import it through `slimlm.evaluation.lm_eval`, which says when lm_eval is missing."""

from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM

from slimlm.evaluation.continuations import Continuation, score_continuations
from slimlm.evaluation.sample import TextCoder, next_tokens
from slimlm.model.language_model import LanguageModel

_MOST_GENERATED = 256


class SlimlmLM(TemplateLM):  # type: ignore[misc]  # lm_eval has no types
    """A model with its tokenizer, as lm_eval wants it: lm_eval splits texts into contexts and continuations."""

    def __init__(self, model: LanguageModel, tokenizer: TextCoder) -> None:
        super().__init__()
        self._model, self._tokenizer = model, tokenizer

    @property
    def eot_token_id(self) -> int:
        """Id of the token between documents, which is also the context of a text without one."""
        return self._tokenizer.bos_id

    @property
    def max_length(self) -> int:
        """Most tokens that the model takes."""
        return self._model.architecture.max_seq_length

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the ids of a text, without special tokens."""
        return self._tokenizer.encode(string)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[tuple[str, str], list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        wanted = [Continuation(self._after_bos(context), tuple(target)) for _, context, target in requests]
        found = [(-score.nats, score.is_greedy) for score in score_continuations(self._model, wanted)]
        for request, answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood", request[0], answer)
        return found

    def _after_bos(self, context: Sequence[int]) -> tuple[int, ...]:
        bos = self._tokenizer.bos_id
        return tuple(context) if context and context[0] == bos else (bos, *context)

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[float]:
        """Return ln p of whole texts, which are scored in windows where they are longer than the model takes."""
        texts = [request.args[0] for request in requests]
        wanted = [Continuation((self._tokenizer.bos_id,), tuple(self.tok_encode(text))) for text in texts]
        found = [-score.nats for score in score_continuations(self._model, wanted)]
        for text, total in zip(texts, found, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), total)
        return found

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return greedy continuations, each up to one of its stop texts.

        Raises ValueError for a request to sample.
        """
        return [self._generated(*request.args) for request in requests]

    def _generated(self, context: str, settings: dict[str, Any]) -> str:
        if settings.get("do_sample"):
            raise ValueError("do_sample=True is not allowed: slimlm generates greedily for lm_eval; False would work")
        most, until = settings.get("max_gen_toks", _MOST_GENERATED), settings.get("until") or []
        bos = self._tokenizer.bos_id
        ids = next_tokens(
            self._model,
            [bos, *self.tok_encode(context)],
            tokens=most,
            temperature=0,
            stop=bos,
            lengths=self._tokenizer.lengths,
        )
        text = self._tokenizer.decode(ids)
        for stop in filter(None, [until] if isinstance(until, str) else until):
            text = text.split(stop)[0]
        return text
