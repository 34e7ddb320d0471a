"""A model's weights by the names, and in the shapes, of a class of Hugging Face transformers."""

from math import sqrt

import torch
from torch import Tensor

from slimlm.core.architecture import Architecture
from slimlm.interop.hf.tensor_names import Tensors
from slimlm.model.language_model import LanguageModel

_GATE_AND_UP = ("ffn.gate_proj", "ffn.up_proj")
_QKV = ("attention.q_proj", "attention.k_proj", "attention.v_proj")


def renamed_weights(model: LanguageModel, layout: Tensors) -> dict[str, Tensor]:
    """Return the weights of a model as a class keeps them; a tied head is left out, being the token embedding.

    Only what the class fuses or scales is copied.
    """
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        module, _, part = name.rpartition(".")
        if not module.startswith("blocks."):
            found[f"{layout.outer[module]}.{part}"] = parameter.detach()
    for number, block in enumerate(model.blocks):
        weights = {name: parameter.detach() for name, parameter in block.named_parameters()}
        for name, weight in _renamed_block(weights, layout, model.architecture).items():
            found[f"{layout.layer.replace('*', str(number))}.{name}"] = weight
    return _with_gemma_scales(found, model, layout) if layout.gemma_scales else found


def _with_gemma_scales(found: dict[str, Tensor], model: LanguageModel, layout: Tensors) -> dict[str, Tensor]:
    """Divide by the factors that the class multiplies by: norms 1 + weight, token embeddings √d_model.

    A model with that embedding_scale keeps its embeddings. A tied head has the divided embeddings too, for which the
    final norm makes up.
    """
    norms = {name for name in found if "norm" in name}
    final, embedding = f"{layout.outer['final_norm']}.weight", f"{layout.outer['token_embedding']}.weight"
    # The class rounds the factor to the type of the weights.
    theirs, own = torch.tensor([sqrt(model.d_model), model.architecture.embedding_scale], dtype=found[embedding].dtype)
    scale = float(theirs / own)
    factors = {embedding: 1 / scale, final: scale if model.architecture.tied_lm_head else 1.0}
    scaled = {name: weight * factors[name] if name in factors else weight for name, weight in found.items()}
    return {name: weight - 1 if name in norms else weight for name, weight in scaled.items()}


def _renamed_block(weights: dict[str, Tensor], layout: Tensors, arch: Architecture) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        module, _, part = name.rpartition(".")
        if module == "ffn.experts":  # released checkpoints hold one matrix per expert, which loading stacks
            matrix = layout.expert_matrices[part]
            found |= {layout.expert.format(number, matrix): one for number, one in enumerate(weight)}
            continue
        fused, modules = _fused(module, layout)
        if not fused:
            turned = layout.pairs and module in _QKV[:2]
            found[f"{layout.inner[module]}.{part}"] = _neighbours(weight, arch) if turned else weight
        elif module == modules[0]:
            rows = [weights[f"{other}.{part}"] for other in modules]
            by_head = layout.fused_by_head and modules is _QKV
            found[f"{fused}.{part}"] = _fused_by_head(rows, arch.n_heads) if by_head else torch.cat(rows)
    if layout.choice_bias and "ffn.router.weight" in weights:
        router = weights["ffn.router.weight"]
        found[layout.choice_bias] = torch.zeros(router.shape[0], dtype=torch.float32, device=router.device)
    return {name: weight.T if layout.transposed and weight.ndim == 2 else weight for name, weight in found.items()}


def _fused(module: str, layout: Tensors) -> tuple[str, tuple[str, ...]]:
    """Return the name of the fused projection that a module is a part of, and its modules; "" if there is none."""
    fused = {_QKV: layout.fused, _GATE_AND_UP: layout.gate_and_up}
    return next(((name, modules) for modules, name in fused.items() if module in modules), ("", ()))


def _neighbours(weight: Tensor, arch: Architecture) -> Tensor:
    """Put the rows that rotary positions turn together, half a head apart, next to each other."""
    width, turned = arch.head_width, arch.rotary_width
    heads = weight.reshape(-1, width, *weight.shape[1:])  # (heads, K, …)
    pairs = torch.stack([heads[:, : turned // 2], heads[:, turned // 2 : turned]], dim=2).flatten(1, 2)
    return torch.cat([pairs, heads[:, turned:]], dim=1).flatten(0, 1)


def _fused_by_head(projections: list[Tensor], n_heads: int) -> Tensor:
    """Put the rows of each head's q, k and v, every one (H · K, …), together: (H · 3 · K, …)."""
    by_head = [rows.reshape(n_heads, -1, *rows.shape[1:]) for rows in projections]  # (H, K, …)
    return torch.stack(by_head, dim=1).flatten(0, 2)
