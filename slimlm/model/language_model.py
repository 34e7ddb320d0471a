"""The PyTorch model: a decoder-only transformer made of `slimlm.model.layers`.

By default: learned position embeddings; LayerNorm with weight and bias before attention, before the feed-forward and at
the end; multi-head attention and SwiGLU without biases; LM head without bias, tied to the token embedding.
`Architecture` holds every other choice.

Shapes: B batch, T tokens, D d_model, V vocab_size.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slimlm.core.accounting import count_total
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.design import Design
from slimlm.core.table import count_parameters
from slimlm.model.initialisation import OnInitialised, Weights, random_seed
from slimlm.model.layer_positions import LayerPositions
from slimlm.model.layers import TransformerBlock, make_norm
from slimlm.model.scales import scaled_embeddings, scaled_logits
from slimlm.solver.solver import solve
from slimlm.utils.progress import Progress
from slimlm.utils.validation import check_whole

IGNORED_LABEL = -100
"""A label that is not scored."""


class LanguageModel(nn.Module):
    """A decoder-only language model, built from a request (which it solves), a design or an architecture.

    Weights are not initialised on the meta device or with `initialise=False`; `reset_parameters` initialises them.
    Building never holds two copies of a weight. `progress` is called after each block; exceptions it raises cancel the
    build.

    Raises BudgetError when no model meets the request.
    """

    def __init__(
        self,
        source: ModelConfig | Design | Architecture,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        initialise: bool = True,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        design = solve(source) if isinstance(source, ModelConfig) else source
        self.config = design.config if isinstance(design, Design) else None
        self.architecture = arch = design.architecture if isinstance(design, Design) else design
        self.d_model, self.d_ff, self.n_layers = arch.d_model, arch.d_ff, arch.n_layers
        target = torch.get_default_device() if device is None else torch.device(device)
        # Modules are created on the meta device, so that each weight is allocated and initialised once.
        with torch.device("meta"):
            self.token_embedding = _embedding(arch.vocab_size, arch.d_model, dtype)
            if arch.positions == "learned":
                self.position_embedding = _embedding(arch.max_seq_length + arch.position_offset, arch.d_model, dtype)
            self.embedding_norm = _norm(arch).to(dtype) if arch.embedding_norm else nn.Identity()
            self.dropout = nn.Dropout(arch.dropout)
            self.blocks = nn.ModuleList(_blocks(arch, target, dtype, progress))
            self.final_norm = _norm(arch).to(dtype)
            self.lm_head = nn.Linear(arch.d_model, arch.vocab_size, bias=arch.lm_head_bias, dtype=dtype)
        self._tie()
        self.layer_positions = LayerPositions(arch)
        self.register_load_state_dict_pre_hook(_refuse_two_tables)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_tie_again)  # type: ignore[no-untyped-call]
        self._check_count()
        if target.type != "meta":
            self._apply(lambda tensor: torch.empty_like(tensor, device=target) if tensor.is_meta else tensor)
            if initialise:
                self.reset_parameters()

    def _check_count(self) -> None:
        counted = count_parameters(self)
        assert counted == count_total(self.architecture), "the module and the account must count the same"

    @torch.no_grad()
    def reset_parameters(self, on_initialised: OnInitialised | None = None, *, seed: int | None = None) -> None:
        """Initialise every weight: matrices normal with std 0.02, norms one, biases zero.

        One seed gives the same weights on every device (see `slimlm.model.initialisation`). Without a seed, one is
        taken from torch's global generator. `on_initialised` is called with the number of elements of each vector and
        each chunk of a matrix; exceptions it raises cancel the work.
        """
        weights = Weights(self, random_seed() if seed is None else seed, self.n_layers)
        weights.initialise(dict(self.named_parameters()), on_initialised)

    def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return logits (B, T, V) for token ids (B, T), and the mean loss in nats when labels are given.

        `labels` have the shape of `input_ids` and are shifted inside: position t is scored against label t+1; -100 is
        not scored (the loss is NaN when nothing is).

        Raises ValueError for ids or labels of another shape, longer than max_seq_length, or outside the vocabulary. On
        CUDA, ids outside the vocabulary are a device-side assertion instead: a check that raises would have to wait
        for the device.
        """
        self._check_ids(input_ids)
        x = self.dropout(self.embedding_norm(self._embed(input_ids)))  # (B, T, D)
        for number, block in enumerate(self.blocks):
            x = block(x, is_causal=True, **self.layer_positions(number, input_ids.shape[1], x))
        logits = scaled_logits(self.architecture, self.lm_head(self.final_norm(x)))  # (B, T, V)
        return logits, None if labels is None else self._loss(logits, input_ids, labels)

    def _embed(self, input_ids: Tensor) -> Tensor:
        tokens = scaled_embeddings(self.architecture, self.token_embedding(input_ids))
        if self.architecture.positions != "learned":
            return tokens
        first = self.architecture.position_offset
        rows = torch.arange(first, first + input_ids.shape[1], device=input_ids.device)
        embedded: Tensor = tokens + self.position_embedding(rows)
        return embedded

    def _loss(self, logits: Tensor, input_ids: Tensor, labels: Tensor) -> Tensor:
        if labels.shape != input_ids.shape:
            raise ValueError(f"labels of shape {tuple(labels.shape)} must have input_ids' {tuple(input_ids.shape)}")
        self._check_type("labels", labels)
        if labels.device.type != "cuda":  # there, the loss asserts that labels are in range
            self._check_range("labels", labels.masked_fill(labels == IGNORED_LABEL, 0))
        # The labels are shifted and the last position is ignored: slicing the logits would copy them.
        following = F.pad(labels[:, 1:], (0, 1), value=IGNORED_LABEL)
        return F.cross_entropy(logits.flatten(0, 1), following.flatten().long(), ignore_index=IGNORED_LABEL)

    def _check_ids(self, input_ids: Tensor) -> None:
        self._check_type("input_ids", input_ids)
        if input_ids.ndim != 2 or 0 in input_ids.shape:
            raise ValueError(f"input_ids of shape {tuple(input_ids.shape)} must be a non-empty (batch, tokens) tensor")
        if input_ids.shape[1] > self.architecture.max_seq_length:
            raise ValueError(
                f"a sequence of {input_ids.shape[1]} tokens is longer than "
                f"max_seq_length={self.architecture.max_seq_length}; shorten it or raise max_seq_length"
            )
        self._check_range("input_ids", input_ids)

    def _check_type(self, name: str, ids: Tensor) -> None:
        if ids.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"{name} of dtype {ids.dtype} must be integers: int64 or int32")

    def _check_range(self, name: str, ids: Tensor) -> None:
        if ids.is_meta or torch.compiler.is_compiling():
            return
        rule = f"outside the vocabulary: ids go from 0 to vocab_size−1={self.architecture.vocab_size - 1}"
        if ids.device.type == "cuda":
            in_range = (ids.clamp(0, self.architecture.vocab_size - 1) == ids).all()
            torch._assert_async(in_range, f"{name} hold a token that is {rule}")
            return
        low, high = (int(end) for end in ids.aminmax())
        if low < 0 or high >= self.architecture.vocab_size:
            raise ValueError(f"{name} hold {low if low < 0 else high}, which is {rule}")

    def get_causal_mask(self, seq_length: int, device: torch.device | str | None = None) -> Tensor:
        """Return a mask (1, 1, T, T) of ones on and below the diagonal: nonzero where a token may attend.

        Raises ValueError for a length below 1.
        """
        check_whole(seq_length=seq_length)
        return torch.ones(seq_length, seq_length, device=device).tril()[None, None]

    def _tie(self) -> None:
        if self.architecture.tied_lm_head:
            self.lm_head.weight = self.token_embedding.weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Each module's parameters are replaced separately, which would duplicate the shared one: the head releases it
        # meanwhile. Position tables of the earlier device or dtype are of no use.
        self.layer_positions.clear()
        if self.architecture.tied_lm_head:
            self.lm_head.register_parameter("weight", None)
        try:
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        finally:
            self._tie()
        return self


def _refuse_two_tables(model: LanguageModel, state: Mapping[str, Any], prefix: str, *rest: Any) -> None:
    """Report the weights of an untied model: a tied model would silently lose one of its two tables."""
    names = (f"{prefix}token_embedding.weight", f"{prefix}lm_head.weight")
    tables = [state[name] for name in names if name in state]
    if not model.architecture.tied_lm_head or len(tables) < 2 or any(table.is_meta for table in tables):
        return
    if not torch.equal(*tables):
        errors: list[str] = rest[-1]
        errors.append("lm_head.weight differs from token_embedding.weight, but tied_lm_head=True means one table")


def _tie_again(model: LanguageModel, _: Any) -> None:
    """Tie the head again: assigned weights have replaced the shared parameter."""
    model._tie()


def _embedding(rows: int, d_model: int, dtype: torch.dtype | None) -> nn.Embedding:
    # nn.Embedding initialises its weight, which on the meta device imports torch's compiler for over a second.
    table: nn.Embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
        torch.empty(rows, d_model, dtype=dtype), freeze=False
    )
    return table


def _norm(arch: Architecture) -> nn.Module:
    return make_norm(arch.norm, arch.d_model, arch.layer_norm_eps)


def _blocks(
    arch: Architecture, device: torch.device, dtype: torch.dtype | None, progress: Progress | None
) -> Iterator[TransformerBlock]:
    """Yield the blocks, with their weights allocated, so that a deep model can be cancelled after any of them."""
    for number in range(1, arch.n_layers + 1):
        block = _block(arch).to(dtype)
        yield block if device.type == "meta" else block.to_empty(device=device)
        if progress:
            progress(number / arch.n_layers, "building the modules")


def _block(arch: Architecture) -> TransformerBlock:
    return TransformerBlock(
        arch.d_model,
        arch.d_ff,
        arch.n_heads,
        arch.dropout,
        arch.attention_dropout,
        arch.layer_norm_eps,
        n_kv_heads=arch.kv_heads,
        head_dim=arch.head_width,
        norm=arch.norm,
        ffn=arch.ffn,
        bias=arch.bias,
        qk_norm=arch.qk_norm,
        block=arch.block,
        attention_scale=arch.attention_scale,
        attention_softcap=arch.attention_softcap,
        residual_scale=arch.residual_scale,
    )
