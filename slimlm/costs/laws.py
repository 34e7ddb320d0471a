"""Scaling laws: compute-optimal tokens and predicted loss.

N is every parameter, embeddings included, and training compute is C = 6 · N · D, as in the papers.
"""

import math
from dataclasses import dataclass

from slimlm.utils.validation import check_positive

CHINCHILLA_TOKENS_PER_PARAM = 20
"""Hoffmann et al. 2022 (arXiv 2203.15556), Table 3: 20.0 tokens per parameter at 400M, 20.5 at 10B."""


def chinchilla_tokens(params: int) -> int:
    """Return the compute-optimal tokens by the rule of thumb 20 · N (from Hoffmann et al. 2022, Table 3)."""
    return CHINCHILLA_TOKENS_PER_PARAM * params


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The model size and training tokens with the lowest predicted loss at their compute."""

    params: float
    tokens: float
    loss_nats: float

    @property
    def tokens_per_param(self) -> float:
        """D / N."""
        return self.tokens / self.params


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """Loss in nats per token by parameters N and tokens D: L = E + A / N^alpha + B / D^beta.

    It holds for the tokenizer and the text that it was fitted to: losses with other vocabularies are not comparable.
    """

    name: str
    irreducible_nats: float
    """E."""
    params_factor: float
    """A."""
    tokens_factor: float
    """B."""
    params_exponent: float
    """alpha."""
    tokens_exponent: float
    """beta."""
    smallest_params: float
    """Parameters of the smallest model in the fit."""
    largest_params: float
    source: str

    def loss_nats(self, params: float, tokens: float) -> float:
        """Return the predicted loss; raises ValueError unless both are above 0."""
        check_positive(params=params, tokens=tokens)
        of_params = self.params_factor / math.pow(params, self.params_exponent)
        return self.irreducible_nats + of_params + self.tokens_factor / math.pow(tokens, self.tokens_exponent)

    def is_extrapolated(self, params: float) -> bool:
        """Say whether a model's size lies outside the range of the fit."""
        return not self.smallest_params <= params <= self.largest_params

    def optimum(self, compute_flops: float) -> Optimum:
        """Return the compute-optimal model size and tokens (Hoffmann et al. 2022, eq. 4).

        N = G · (C/6)^(beta/(alpha+beta)) and D = C/6/N, with G = (alpha·A / (beta·B))^(1/(alpha+beta)).

        Raises ValueError unless compute_flops is above 0.
        """
        check_positive(compute_flops=compute_flops)
        product = compute_flops / 6
        params = self._gain() * product ** (self.tokens_exponent / self._exponents())
        return Optimum(params=params, tokens=product / params, loss_nats=self.loss_nats(params, product / params))

    def optimum_of(self, params: float) -> Optimum:
        """Return the optimum whose model has this size; raises ValueError unless it is above 0."""
        check_positive(params=params)
        product = (params / self._gain()) ** (self._exponents() / self.tokens_exponent)
        return Optimum(params=params, tokens=product / params, loss_nats=self.loss_nats(params, product / params))

    def _exponents(self) -> float:
        return self.params_exponent + self.tokens_exponent

    def _gain(self) -> float:
        ratio = self.params_exponent * self.params_factor / (self.tokens_exponent * self.tokens_factor)
        return math.pow(ratio, 1 / self._exponents())


BESIROGLU = ScalingLaw(
    name="Besiroglu et al. 2024",
    irreducible_nats=1.81686,
    params_factor=482.00572,
    tokens_factor=2085.43420,
    params_exponent=0.34781,
    tokens_exponent=0.36585,
    smallest_params=44e6,
    largest_params=16e9,
    source="Besiroglu et al. 2024 (arXiv 2404.10102), refit of Chinchilla's third approach",
)
"""The refit agrees with Chinchilla's other two approaches and its 20 tokens per parameter; the constants published
first (Hoffmann et al. 2022, eq. 10) do not."""
