"""Choices of mixtures of experts and of multi-head latent attention.

Mixtures of experts: Shazeer et al. 2017 (arXiv 1701.06538); shared experts and dense first layers: Dai et al. 2024,
DeepSeekMoE (arXiv 2401.06066); sigmoid scores and groups of experts: DeepSeek-AI 2024, DeepSeek-V3 (arXiv 2412.19437),
section 2.1.2. Latent attention: DeepSeek-AI 2024, DeepSeek-V2 (arXiv 2405.04434), section 2.1.
"""

from dataclasses import dataclass, fields
from typing import Literal

from slimlm.core.attention_choices import AttentionChoices
from slimlm.utils.validation import Changes, FieldError, choice, documented, real, whole

Router = Literal["softmax", "sigmoid"]

MOST_EXPERTS = 65_536
_WIDEST = 10**15

_OF_EXPERTS = (
    "experts_per_token",
    "n_shared_experts",
    "d_shared",
    "shared_expert_gate",
    "n_dense_layers",
    "d_dense",
    "router",
    "normalise_router",
    "routed_scale",
    "n_expert_groups",
    "groups_per_token",
)
_OF_LATENTS = ("q_lora_rank", "qk_rope_head_dim", "v_head_dim")


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)  # only subclasses are made
class ExpertChoices(AttentionChoices):
    """The choices of a mixture of experts and of latent attention; by default a model has neither.

    Raises ValueError, in one sentence, for a field outside its limits and for choices that exclude each other.
    """

    n_experts: int = documented(
        "Routed experts per layer, of which each token uses a few; d_ff is then the width of one expert. 0: a dense "
        "feed-forward.",
        whole(0, 0, MOST_EXPERTS),
    )

    experts_per_token: int = documented("Routed experts that each token uses.", whole(2, 1, MOST_EXPERTS))

    n_shared_experts: int = documented(
        "Experts that every token uses, besides those that it is routed to.", whole(0, 0, MOST_EXPERTS)
    )

    d_shared: int | None = documented(
        "Width of one shared expert; None is d_ff, the width of a routed expert.", whole(None, 1, _WIDEST)
    )

    shared_expert_gate: bool = documented(
        "Multiply the output of the shared experts by a sigmoid that the token decides (Qwen1.5-MoE).", False
    )

    n_dense_layers: int = documented(
        "First layers with a dense feed-forward instead of experts; fewer than n_layers.", whole(0, 0, 10**9)
    )

    d_dense: int | None = documented(
        "Width of the feed-forward in the dense first layers; None is 4 · d_model.", whole(None, 1, _WIDEST)
    )

    router: Router = documented(
        "Scores of the experts: a softmax over all of them, or a sigmoid for each (DeepSeek-V3).",
        choice("softmax", "sigmoid"),
    )

    normalise_router: bool = documented(
        "Divide the scores of the experts that a token uses by their sum. With softmax scores this equals a softmax "
        "over those experts alone (Mixtral).",
        True,
    )

    routed_scale: float = documented("Factor on the output of the routed experts.", real(1.0, 1e-6, 1e6))

    n_expert_groups: int = documented(
        "Groups that the experts form; a token uses experts of its best groups alone. 1: no groups.",
        whole(1, 1, MOST_EXPERTS),
    )

    groups_per_token: int = documented("Groups whose experts a token may use.", whole(1, 1, MOST_EXPERTS))

    kv_lora_rank: int | None = documented(
        "Multi-head latent attention: width of the latent from which the keys and values of all heads are projected, "
        "and which the KV cache holds in their place. head_dim is then the part of queries and keys without rotary "
        "positions. None: plain attention.",
        whole(None, 1, _WIDEST),
    )

    q_lora_rank: int | None = documented(
        "Latent attention: width of the latent from which queries are projected; None projects them directly.",
        whole(None, 1, _WIDEST),
    )

    qk_rope_head_dim: int = documented(
        "Latent attention: further width of queries and keys, with rotary positions; all heads share that of the key.",
        whole(64, 2, 10**6),
    )

    v_head_dim: int | None = documented(
        "Latent attention: width of one head's values; None is head_dim.", whole(None, 1, _WIDEST)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_experts:
            self._check_experts()
        else:
            self._refuse_unused(_OF_EXPERTS, "only a mixture of experts has it", "n_experts")
        if self.kv_lora_rank is not None:
            self._check_latents()
        else:
            self._refuse_unused(_OF_LATENTS, "only latent attention has it", "kv_lora_rank")

    def _refuse_unused(self, names: tuple[str, ...], rule: str, needed: str, working: Changes = ()) -> None:
        """Raise FieldError for a choice that is not at its default although nothing would use it."""
        for name in names:
            if getattr(self, name) != _DEFAULTS[name]:
                self._refuse(name, rule, ((name, _DEFAULTS[name]), *working), needed)

    def _check_experts(self) -> None:
        if not self.n_shared_experts:
            names, rule = ("d_shared", "shared_expert_gate"), "only shared experts have it"
            self._refuse_unused(names, rule, "n_shared_experts", (("n_shared_experts", 1),))
        if not self.n_dense_layers:
            rule = "only dense first layers have it"
            self._refuse_unused(("d_dense",), rule, "n_dense_layers", (("n_dense_layers", 1),))
        if self.bias in ("ffn", "output_ffn", "all"):
            without = {"ffn": "none", "output_ffn": "none", "all": "attention"}[self.bias]
            self._refuse("bias", "experts have no biases", (("bias", without),), "n_experts")
        if self.experts_per_token > self.n_experts:
            rule = f"it must be at most {{n_experts}}={self.n_experts}"
            remedies = (("experts_per_token", self.n_experts), ("n_experts", self.experts_per_token))
            self._refuse("experts_per_token", rule, remedies)
        self._check_groups()

    def _check_groups(self) -> None:
        groups, experts = self.n_expert_groups, self.n_experts
        if experts % groups:
            self._refuse("n_expert_groups", f"it must divide {{n_experts}}={experts}", (("n_expert_groups", 1),))
        if self.groups_per_token > groups:
            rule = f"it must be at most {{n_expert_groups}}={groups}"
            self._refuse("groups_per_token", rule, (("groups_per_token", groups),))
        reachable = experts // groups * self.groups_per_token
        if self.experts_per_token > reachable:
            rule = f"the groups that a token may use have {reachable} experts"
            working = (("experts_per_token", reachable), ("groups_per_token", groups))
            self._refuse("experts_per_token", rule, working, "n_expert_groups", "groups_per_token")

    def _check_latents(self) -> None:
        latent = "kv_lora_rank"
        if self.n_heads == "auto":
            rule = "with latent attention the solver does not choose the heads"
            self._refuse("n_heads", rule, (("n_heads", 8), (latent, None)), latent)
        if self.n_kv_heads not in (None, self.n_heads):
            rule = "every head has its own keys and values, projected from the latent"
            self._refuse("n_kv_heads", rule, (("n_kv_heads", None), (latent, None)), latent)
        if self.qk_norm != "none":
            rule = "latent attention normalises its latents instead"
            self._refuse("qk_norm", rule, (("qk_norm", "none"), (latent, None)), latent)
        if self.positions != "rope":
            rule = "latent attention has rotary positions"
            self._refuse("positions", rule, (("positions", "rope"), (latent, None)), latent)
        if self.rotary_share != 1:
            rule = "qk_rope_head_dim says which part of a head RoPE turns"
            self._refuse("rotary_share", rule, (("rotary_share", 1.0), (latent, None)), latent)
        if self.qk_rope_head_dim % 2:
            working = (("qk_rope_head_dim", self.qk_rope_head_dim + 1),)
            self._refuse("qk_rope_head_dim", "it must be even, because RoPE turns pairs", working)

    def _refuse(self, name: str, rule: str, working: Changes, *given: str) -> None:
        raise FieldError(
            name, getattr(self, name), rule, working, tuple((field, getattr(self, field)) for field in given)
        )

    def check_depth(self, n_layers: int) -> None:
        """Raise FieldError for a depth that the dense first layers leave no layer with experts."""
        if self.n_dense_layers >= n_layers:
            working = (("n_dense_layers", n_layers - 1), ("n_layers", self.n_dense_layers + 1))
            self._refuse("n_dense_layers", f"it must be less than {{n_layers}}={n_layers}", working)

    @property
    def is_mixture(self) -> bool:
        """Whether the model has routed experts."""
        return self.n_experts > 0

    @property
    def has_latents(self) -> bool:
        """Whether attention is multi-head latent attention."""
        return self.kv_lora_rank is not None


_DEFAULTS = {field.name: field.default for field in fields(ExpertChoices)}
