"""Groups of parameters: initial scale, learning rate, weight decay and ε of each, in one table.

CompleteP (Dey et al. 2025, "Don't be lazy", arXiv 2505.01618, Table 1, α = 1; ε by its equation 40) multiplies the
output of every residual branch by 1/m_L and the final hidden state by 1/m_N, where m_N = d_model / 256 and
m_L = n_layers · n_loops / 2. Here these multipliers are part of the weights: a weight W that is multiplied by c acts as
c·W, and under AdamW c·W is trained exactly as W is when its initial scale and learning rate are multiplied by c, its
decay and ε divided by c. So the model needs no multipliers, and saved weights need no correction. (Only the gradient's
norm, which is clipped, counts these weights differently.)
"""

import math
from dataclasses import dataclass
from typing import Literal

from slimlm.core.accounting import BLOCK_NORMS
from slimlm.core.architecture import Architecture
from slimlm.runs.recipe import TrainRecipe
from slimlm.utils.validation import FieldError

Group = Literal["embedding", "hidden", "output", "vector", "output_vector", "final_norm", "head"]
"""Embedding tables; matrices of blocks that read the residual stream, and that write into it; norms and biases; those
whose output goes into the residual stream; the final norm; an untied LM head and its bias."""

EMBEDDING_STD = 0.05
"""Initial standard deviation of embeddings: of 0.02, 0.04 and 1 / √d_model, 0.04 trained best at 11 layers × 224 (by
0.03 and 0.07 nats, 12M tokens of English at 4e-3), 1 / √d_model at 29 × 160 (by 0.02); 0.05 lies between."""

BASE_WIDTH, BASE_DEPTH, BASE_EMBEDDING_STD, BASE_STD = 256, 2, 1 / 16, 0.02
"""The shape at which CompleteP is the standard parametrisation (the paper's), and the initial scales there."""


@dataclass(frozen=True)
class Rule:
    """How one group is initialised and trained."""

    std: float | None
    """Initial standard deviation of matrices; None for vectors."""
    scale: float
    """Factor on the initial value of vectors."""
    learning_rate: float
    """Factor on the learning rate."""
    weight_decay: float
    eps: float


def group_of(name: str, architecture: Architecture) -> Group:
    """Return the group of a parameter by its name in the model.

    >>> [group_of(f"blocks.0.{name}.weight", Architecture(d_model=8, d_ff=8, n_layers=1, n_heads=2))
    ...  for name in ("attention.q_proj", "attention.o_proj", "ffn_norm")]
    ['hidden', 'output', 'vector']
    """
    module, _, kind = name.rpartition(".")
    if not module.startswith("blocks."):
        if module in ("final_norm", "lm_head"):
            return "final_norm" if module == "final_norm" else "head"
        return "vector" if module == "embedding_norm" else "embedding"
    if kind.endswith("_proj"):  # stacked weights of experts are parameters of their own
        module, kind = name, "weight"
    inner = module.split(".", 2)[2]
    is_matrix = kind == "weight" and ("_proj" in inner or inner in ("ffn.router", "ffn.shared_expert_gate"))
    writes = inner == "attention.o_proj" or inner.endswith("down_proj")
    if normed_outputs(architecture):  # the norm sets the scale of what goes into the residual stream
        if inner in ("attention_output_norm", "ffn_output_norm"):
            return "output_vector"
        return "hidden" if is_matrix else "vector"
    if is_matrix:
        return "output" if writes else "hidden"
    return "output_vector" if writes else "vector"


def normed_outputs(architecture: Architecture) -> bool:
    """Return whether the outputs of attention and feed-forward pass a norm before they are added."""
    return "attention_output_norm" in BLOCK_NORMS[architecture.block]


def group_rules(architecture: Architecture, recipe: TrainRecipe) -> dict[Group, Rule]:
    """Return the rule of every group.

    Raises FieldError for CompleteP and a norm without weights, which cannot take up a multiplier.
    """
    return (
        _completep(architecture, recipe) if recipe.parametrisation == "completep" else _standard(architecture, recipe)
    )


def _standard(architecture: Architecture, recipe: TrainRecipe) -> dict[Group, Rule]:
    width, depth = architecture.d_model**-0.5, BASE_STD / math.sqrt(2 * architecture.layers_run)
    named = {"width": width, "auto": EMBEDDING_STD}
    embedding = named[recipe.embedding_std] if isinstance(recipe.embedding_std, str) else recipe.embedding_std
    output = recipe.output_std if isinstance(recipe.output_std, float | int) else depth
    plain = Rule(None, 1.0, 1.0, 0.0, recipe.eps)
    return {
        "embedding": Rule(embedding, 1.0, 1.0, 0.0, recipe.eps),
        "hidden": Rule(BASE_STD, 1.0, 1.0, recipe.weight_decay, recipe.eps),
        "output": Rule(output, 1.0, 1.0, recipe.weight_decay, recipe.eps),
        "vector": plain,
        "output_vector": plain,
        "final_norm": plain,
        "head": Rule(BASE_STD, 1.0, 1.0, 0.0, recipe.eps),
    }


def _completep(architecture: Architecture, recipe: TrainRecipe) -> dict[Group, Rule]:
    if architecture.norm == "layernorm_no_params":
        rule, given = "CompleteP needs norms with weights", (("parametrisation", "completep"),)
        raise FieldError("norm", architecture.norm, rule, (("norm", "rmsnorm"),), given)
    width, depth = architecture.d_model / BASE_WIDTH, architecture.layers_run / BASE_DEPTH
    embedding = recipe.embedding_std if isinstance(recipe.embedding_std, float | int) else BASE_EMBEDDING_STD
    output = recipe.output_std if isinstance(recipe.output_std, float | int) else BASE_STD
    outer_eps, inner_eps = recipe.eps / width, recipe.eps / (width * depth)
    decay, narrower = recipe.weight_decay * width, width**-0.5
    return {
        "embedding": Rule(embedding, 1.0, 1.0, 0.0, outer_eps),
        "hidden": Rule(BASE_STD * narrower, 1.0, 1 / width, decay, inner_eps),
        "output": _multiplied(Rule(output * narrower, 1.0, 1 / width, decay, inner_eps), 1 / depth),
        "vector": Rule(None, 1.0, 1.0, 0.0, inner_eps),
        "output_vector": _multiplied(Rule(None, 1.0, 1.0, 0.0, inner_eps), 1 / depth),
        "final_norm": _multiplied(Rule(None, 1.0, 1.0, 0.0, outer_eps), 1 / width),
        "head": Rule(BASE_STD, 1.0, 1.0, 0.0, outer_eps),
    }


def _multiplied(rule: Rule, factor: float) -> Rule:
    """Return the rule of c·W for the rule of a weight W that is multiplied by c."""
    return Rule(
        None if rule.std is None else rule.std * factor,
        rule.scale * factor,
        rule.learning_rate * factor,
        rule.weight_decay / factor,
        rule.eps / factor,
    )
