"""Optimizers of a recipe behind one interface, with states that are saved and restored exactly."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from slimlm.model.language_model import LanguageModel
from slimlm.runs.recipe import TrainRecipe
from slimlm.train.groups import Group, group_of, group_rules

MUON_GROUPS: tuple[Group, ...] = ("hidden", "output")
"""Groups that Muon trains: the matrices of blocks."""


class Optimizers:
    """AdamW, or Muon and AdamW, over the groups of a model. Muon takes matrices alone: AdamW has those of experts.

    On CUDA the learning rates are tensors on the device, so that a CUDA graph reads them anew at each replay.
    """

    def __init__(self, model: LanguageModel, recipe: TrainRecipe) -> None:
        self._recipe = recipe
        self._named = dict(model.named_parameters())
        self._device = next(iter(self._named.values())).device
        groups = self._groups(model)
        muon = [group for group in groups if group["name"] in MUON_GROUPS and group["params"][0].ndim == 2]
        by_muon = muon if recipe.optimizer == "muon" else []
        self._all: list[Optimizer] = []
        self.factor = 1.0
        if by_adamw := [group for group in groups if not any(group is other for other in by_muon)]:
            self._all.append(self._adamw(by_adamw))
        if by_muon:
            # Of AdamW's update size, so that AdamW's learning rate and decay suit it (Liu et al. 2025, 2502.16982).
            kept = [{name: value for name, value in group.items() if name != "eps"} for group in by_muon]
            self._all.append(Muon(kept, lr=recipe.learning_rate, adjust_lr_fn="match_rms_adamw"))
        for group in self._param_groups():
            group["base_lr"] = group["lr"]
            if self._device.type == "cuda" and "betas" in group:
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=self._device)

    def _groups(self, model: LanguageModel) -> list[dict[str, Any]]:
        rules = group_rules(model.architecture, self._recipe)
        members: dict[tuple[Group, int], list[Tensor]] = defaultdict(list)
        for name, parameter in self._named.items():
            members[group_of(name, model.architecture), parameter.ndim].append(parameter)
        return [
            {
                "params": parameters,
                "name": group,
                "lr": self._recipe.learning_rate * rules[group].learning_rate,
                "weight_decay": rules[group].weight_decay if ndim > 1 else 0.0,
                "eps": rules[group].eps,
            }
            for (group, ndim), parameters in members.items()
        ]

    def _adamw(self, groups: list[dict[str, Any]]) -> AdamW:
        betas, on_cuda = (self._recipe.beta1, self._recipe.beta2), self._device.type == "cuda"
        fused = self._device.type in ("cpu", "cuda")
        return AdamW(groups, lr=self._recipe.learning_rate, betas=betas, fused=fused, capturable=on_cuda)

    def _param_groups(self) -> Iterator[dict[str, Any]]:
        for optimizer in self._all:
            yield from optimizer.param_groups

    def set_factor(self, factor: float) -> None:
        """Set every group's learning rate to a multiple of its highest."""
        self.factor = factor
        for group in self._param_groups():
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(factor * group["base_lr"])
            else:
                group["lr"] = factor * group["base_lr"]

    def step(self) -> None:
        """Update the weights by their gradients."""
        for optimizer in self._all:
            optimizer.step()

    def settings(self) -> list[dict[str, Any]]:
        """Return what each group is trained with, as its optimizer has it, for checks against the recipe."""
        names = ("name", "base_lr", "weight_decay", "betas", "eps", "momentum")
        return [
            {"optimizer": type(optimizer).__name__.lower()} | {name: group[name] for name in names if name in group}
            for optimizer in self._all
            for group in optimizer.param_groups
        ]

    def state(self) -> dict[str, Tensor]:
        """Return every tensor of the state, by "key/parameter name"; they are those in use, not copies."""
        found: dict[str, Tensor] = {}
        for name, parameter in self._named.items():
            for optimizer in self._all:
                for key, value in optimizer.state.get(parameter, {}).items():
                    found[f"{key}/{name}"] = value
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Replace the whole state by copies of saved tensors.

        Raises ValueError for the state of another model.
        """
        states: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for path, value in state.items():
            key, _, name = path.partition("/")
            states[name][key] = value.detach().clone().to(self._device)
        if unknown := states.keys() - self._named.keys():
            raise ValueError(f"the optimizer's state has {min(unknown)!r}, which the model does not have")
        for optimizer in self._all:
            optimizer.state.clear()
            members = {parameter for group in optimizer.param_groups for parameter in group["params"]}
            for name, parameter in self._named.items():
                if parameter in members and name in states:
                    optimizer.state[parameter] = dict(states[name])
