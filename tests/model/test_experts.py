"""Mixtures of experts: routing, gradients of every expert, one product or many, and the whole model around them."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn import functional as F

from slimlm.core.architecture import Architecture
from slimlm.model.experts import Experts, MixtureOfExperts, Router
from slimlm.model.language_model import LanguageModel
from slimlm.model.streaming import StreamedModel
from tests.strategies import mixtures

TOKENS, WIDTH, EXPERTS = 40, 16, 6


def filled(module: torch.nn.Module) -> Any:
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def router(n_experts: int = EXPERTS, experts_per_token: int = 2, **choices: Any) -> Router:
    made: Router = filled(Router(WIDTH, n_experts, experts_per_token, **choices))
    return made


def some_tokens() -> Tensor:
    return torch.randn(TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_normalised_softmax_is_a_softmax_over_the_chosen_experts() -> None:
    chooser, x = router(), some_tokens()
    weights, chosen = chooser(x)
    logits = F.linear(x, chooser.weight)
    best = logits.topk(2)
    assert torch.equal(chosen, best.indices)
    torch.testing.assert_close(weights, best.values.softmax(-1))


def test_scores_are_those_of_all_experts_unless_normalised() -> None:
    chooser, x = router(normalise=False, scale=2.5), some_tokens()
    weights, chosen = chooser(x)
    torch.testing.assert_close(weights, 2.5 * F.linear(x, chooser.weight).softmax(-1).gather(1, chosen))


@pytest.mark.parametrize(("kind", "counted"), [("softmax", 1), ("sigmoid", 2)])
def test_a_token_uses_experts_of_its_best_groups(kind: str, counted: int) -> None:
    chooser, x = router(12, 3, kind=kind, n_groups=4, groups_per_token=2), some_tokens()
    _, chosen = chooser(x)
    logits = F.linear(x, chooser.weight)
    scores = (logits.softmax(-1) if kind == "softmax" else logits.sigmoid()).detach()
    groups = scores.view(TOKENS, 4, 3).sort(-1).values[..., -counted:].sum(-1).topk(2).indices
    for token, (allowed, found) in enumerate(zip(groups, chosen, strict=True)):
        reachable = [expert for expert in range(12) if expert // 3 in allowed.tolist()]
        best = sorted(reachable, key=lambda expert: -float(scores[token, expert]))[:3]
        assert sorted(found.tolist()) == sorted(best)


def test_groups_must_divide_the_experts() -> None:
    with pytest.raises(ValueError, match=r"^n_groups=4 must divide n_experts=6$"):
        Router(WIDTH, 6, 2, n_groups=4)


def one_by_one(experts: Experts, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
    """Compute each token with each of its experts, one by one."""
    matrices = list(experts.each_expert())
    rows = []
    for token, numbers, shares in zip(x, chosen.tolist(), weights, strict=True):
        parts = []
        for number, share in zip(numbers, shares, strict=True):
            gate, up, down = matrices[number]
            inner = up @ token if gate is None else experts.activation(gate @ token) * (up @ token)
            parts.append(share * (down @ (experts.activation(inner) if gate is None else inner)))
        rows.append(torch.stack(parts).sum(0))
    return torch.stack(rows)


@pytest.mark.parametrize("ffn", ["swiglu", "geglu", "gelu", "relu"])
def test_the_output_is_that_of_the_experts_one_by_one(ffn: str) -> None:
    experts, x = filled(Experts(WIDTH, 24, EXPERTS, ffn=ffn)), some_tokens()
    weights, chosen = router()(x)
    torch.testing.assert_close(experts(x, weights, chosen), one_by_one(experts, x, weights, chosen))


@pytest.mark.parametrize("ffn", ["swiglu", "relu"])
def test_the_grouped_product_has_the_outputs_and_gradients_of_the_loop(ffn: str) -> None:
    experts, x = filled(Experts(WIDTH, 24, EXPERTS, ffn=ffn)), some_tokens()
    flat = torch.arange(TOKENS) * 7 % (EXPERTS - 1)  # the last expert has no token
    rows, flat = x, flat.sort().values
    target = torch.randn(TOKENS, WIDTH, generator=torch.Generator().manual_seed(2))
    found = []
    for forward in (experts._looped, experts._grouped):
        experts.zero_grad()
        out = forward(rows, flat)
        out.backward(target)
        found.append([out.detach(), *(parameter.grad.clone() for parameter in experts.parameters())])
    for looped, grouped in zip(*found, strict=True):
        torch.testing.assert_close(looped, grouped)


def test_every_expert_learns_from_its_tokens_alone() -> None:
    experts, x = filled(Experts(WIDTH, 24, EXPERTS)), some_tokens()
    weights, chosen = router()(x)
    experts(x, weights.detach(), chosen).sum().backward()
    used = set(chosen.flatten().tolist())
    assert used == set(range(EXPERTS)), "the tokens reach every expert"
    whole = {name: parameter.grad.clone() for name, parameter in experts.named_parameters()}
    for expert in range(EXPERTS):
        experts.zero_grad()
        mine = torch.where(chosen == expert, weights.detach(), 0.0)
        experts(x, mine, chosen).sum().backward()
        for name, parameter in experts.named_parameters():
            assert parameter.grad[expert].abs().sum() > 0
            torch.testing.assert_close(parameter.grad[expert], whole[name][expert])


def test_the_router_learns() -> None:
    mixture, x = filled(MixtureOfExperts(WIDTH, 24, router())), some_tokens()
    mixture(x[None]).square().sum().backward()
    assert mixture.router.weight.grad.abs().sum(dim=1).gt(0).all()


def test_shared_experts_are_added_with_their_gate() -> None:
    x = some_tokens()[None]
    gated = filled(MixtureOfExperts(WIDTH, 24, router(), d_shared=10, shared_gate=True))
    routed = gated.experts(x[0], *gated.router(x[0]))[None]
    expected = routed + torch.sigmoid(x @ gated.shared_expert_gate.weight.T) * gated.shared_experts(x)
    torch.testing.assert_close(gated(x), expected)
    gated.shared_expert_gate = None
    torch.testing.assert_close(gated(x), routed + gated.shared_experts(x))


@given(mixtures(max_layers=2))
@settings(deadline=None, max_examples=25)
def test_a_later_token_leaves_earlier_logits_alone(arch: Architecture) -> None:
    tokens = min(8, arch.max_seq_length)
    if tokens < 2:
        return
    model = LanguageModel(arch, dtype=torch.float64).eval()
    ids = torch.randint(arch.vocab_size, (2, tokens))
    changed = ids.clone()
    changed[:, -1] = (changed[:, -1] + 1) % arch.vocab_size
    with torch.inference_mode():
        torch.testing.assert_close(model(ids)[0][:, :-1], model(changed)[0][:, :-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("others", [0, 1, 2, 3, 6, 7, 8, 40])
def test_a_token_has_the_same_bits_however_many_others_chose_its_expert(dtype: torch.dtype, others: int) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, *matrices = (
        torch.randn(*shape, generator=generator).to(dtype)
        for shape in ((64, 1024), (384, 1024), (384, 1024), (1024, 384))
    )
    experts = Experts(1024, 384, 1)
    with torch.inference_mode():
        together = experts.apply_one(tokens, *matrices)
        assert torch.equal(experts.apply_one(tokens[: 1 + others], *matrices), together[: 1 + others])
        assert experts.apply_one(tokens[:0], *matrices).shape == (0, 1024)


@pytest.mark.parametrize("slices", [False, True])
@given(arch=mixtures(max_layers=2))
@settings(deadline=None, max_examples=15)
def test_a_streamed_model_has_the_logits_of_the_whole(slices: bool, arch: Architecture) -> None:
    ids = torch.randint(arch.vocab_size, (2, min(6, arch.max_seq_length)))
    whole = LanguageModel(arch, initialise=False).eval()
    whole.reset_parameters(seed=3)
    streamed = StreamedModel(arch, 3, torch.device("cpu"), torch.float32, slices=slices)
    done: list[float] = []
    with torch.inference_mode():
        parts = [logits for _, (logits,) in streamed.logits([ids], lambda share, _: done.append(share))]
        torch.testing.assert_close(torch.cat(parts, dim=-1), whole(ids)[0], rtol=1e-4, atol=1e-5)
    assert done == sorted(done)
    assert done[-1] <= 1 + 1e-9
