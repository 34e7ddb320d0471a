"""The parameter table: its text, and columns that add up."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.core.table import count_components, count_parameters, format_param_table, print_param_table
from slimlm.model.language_model import LanguageModel
from slimlm.solver.solver import solve
from tests.models import ARCHITECTURES, STRUCTURES
from tests.strategies import architectures

# fmt: off
DEFAULT = """\
Parameter Allocation Table
───────────────────────────────────────────────────────────────────────────
Component                         per layer × layers   Parameters     Share
───────────────────────────────────────────────────────────────────────────
Token Embedding                                         3,456,000   34.40 %
Position Embedding                                        110,592    1.10 %
LM Head (tied=True)                                             0    0.00 %
Transformer Backbone (12 layers)                        6,480,000   64.49 %
  Attention                             186,624 × 12    2,239,488   22.29 %
  FFN/SwiGLU                            352,512 × 12    4,230,144   42.10 %
  LayerNorm                                 864 × 12       10,368    0.10 %
Final LayerNorm                                               432    0.01 %
───────────────────────────────────────────────────────────────────────────
TOTAL                                                  10,047,024  100.00 %
  Non-embedding                                         6,591,024   65.60 %

Configuration
  d_model 216 · d_ff 544 · n_layers 12 · n_heads 8 (head_dim 27)
  vocab_size 16,000 · max_seq_length 512 · tied_lm_head True

                          target      actual        miss
embedding_ratio             0.35      0.3440     −1.72 %
glu_expansion               2.66      2.5185     −5.32 %  off target by more than 5 %
embedding_ratio: share of parameters in vocabulary-sized tables (embedding, LM head if untied)

Target            10,000,000
Actual            10,047,024
Difference           +47,024  (+0.47 %)
"""

UNTIED = """\
Parameter Allocation Table
───────────────────────────────────────────────────────────────────────────
Component                         per layer × layers   Parameters     Share
───────────────────────────────────────────────────────────────────────────
Token Embedding                                        21,711,024   17.48 %
Position Embedding                                        221,184    0.18 %
LM Head (tied=False)                                   21,711,024   17.48 %
Transformer Backbone (36 layers)                       80,543,808   64.86 %
  Attention                             746,496 × 36   26,873,856   21.64 %
  FFN/SwiGLU                          1,489,104 × 36   53,607,744   43.17 %
  LayerNorm                               1,728 × 36       62,208    0.05 %
Final LayerNorm                                               864    0.00 %
───────────────────────────────────────────────────────────────────────────
TOTAL                                                 124,187,904  100.00 %
  Non-embedding                                        80,765,856   65.04 %

Configuration
  d_model 432 · d_ff 1,149 · n_layers 36 · n_heads 12 (head_dim 36)
  vocab_size 50,257 · max_seq_length 512 · tied_lm_head False
"""
# fmt: on


class Row(NamedTuple):
    label: str
    copy_params: int | None
    copies: int | None
    params: int
    hundredths: int


ROW = re.compile(
    r"(?P<label> {0,2}\S.*?) {2,}(?:(?P<copy>[\d,]+) × (?P<copies>[\d,]+) +)?(?P<params>[\d,]+) +(?P<share>[\d.]+) %"
)


def rows(text: str) -> dict[str, Row]:
    """Read the table back; its rules and its head are no rows."""
    found = {}
    for line in text.split("\n\n", maxsplit=1)[0].splitlines():
        if match := ROW.fullmatch(line):
            copy, copies, params = (int(number.replace(",", "")) if number else None for number in match.group(2, 3, 4))
            assert params is not None
            label = match["label"]
            found[label] = Row(label, copy, copies, params, int(match["share"].replace(".", "")))
    return found


def check_columns(text: str) -> dict[str, Row]:
    """Add every column up again, from the text alone."""
    found = rows(text)
    rest = found.pop("  Non-embedding")
    assert abs(rest.hundredths - 10_000 * rest.params / found["TOTAL"].params) <= 0.5
    assert found["TOTAL"].params - rest.params in {found["Token Embedding"].params * tables for tables in (1, 2)}
    parts = [row for label, row in found.items() if label.startswith("  ")]
    (backbone,) = (row for label, row in found.items() if label.startswith("Transformer Backbone"))
    tops = [row for label, row in found.items() if not label.startswith("  ") and label != "TOTAL"]
    assert (len(parts), len(tops)) == (3, 5)
    for whole, summands in ((backbone, parts), (found["TOTAL"], tops)):
        assert whole.params == sum(row.params for row in summands)
        assert whole.hundredths == sum(row.hundredths for row in summands)
    assert found["TOTAL"].hundredths == 10_000
    for row in found.values():
        assert abs(row.hundredths - 10_000 * row.params / found["TOTAL"].params) < 3  # backbone: one for each part
        assert (row.copies is None) == (row not in parts)
        assert row.copy_params is None or row.copies is None or row.copy_params * row.copies == row.params
    return found


def test_default_design() -> None:
    design = solve(ModelConfig())
    assert format_param_table(design) + "\n" == DEFAULT
    assert check_columns(DEFAULT)["TOTAL"].params == design.total_params == 10_047_024


def test_untied_architecture() -> None:
    architecture = Architecture(vocab_size=50_257, n_heads=12, d_model=432, d_ff=1149, n_layers=36, tied_lm_head=False)
    assert format_param_table(architecture) + "\n" == UNTIED
    found = check_columns(UNTIED)
    assert found["LM Head (tied=False)"].params == found["Token Embedding"].params == 50_257 * 432


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma"])
def test_other_structures_have_their_own_rows_and_reasons(name: str) -> None:
    written = (Path(__file__).parents[1] / "tables" / f"{name}.txt").read_text(encoding="utf-8")
    assert format_param_table(ARCHITECTURES[name]) + "\n" == written
    assert check_columns(written)["TOTAL"].params == account(ARCHITECTURES[name]).total_params


def test_norms_without_parameters_are_said_to_have_none() -> None:
    text = format_param_table(ARCHITECTURES["olmo"])
    assert text.endswith(
        "  LayerNorm without parameters · RoPE\n"
        "  Position embedding: 0, rotary positions have no parameters\n"
        "  LayerNorms: 0, norms without weight and bias\n"
        "  Final LayerNorm: 0, norms without weight and bias"
    )


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_real_module_of_any_structure_gives_the_same_text(name: str) -> None:
    assert format_param_table(LanguageModel(ARCHITECTURES[name], device="meta")) == format_param_table(
        ARCHITECTURES[name]
    )


@pytest.mark.parametrize(
    "config", [ModelConfig(), ModelConfig(tied_lm_head=False, n_layers=3), ModelConfig(n_layers=1, glu_expansion=4)]
)
def test_model_and_design_give_the_same_text(config: ModelConfig) -> None:
    assert format_param_table(LanguageModel(config, device="meta")) == format_param_table(solve(config))


@given(architectures())
@settings(deadline=None, max_examples=40)
def test_model_of_an_architecture_has_no_asked_and_got(architecture: Architecture) -> None:
    text = format_param_table(LanguageModel(architecture, device="meta"))
    assert text == format_param_table(architecture)
    assert text.count("\n\n") == 1
    assert "asked" not in text
    assert "Target" not in text
    assert check_columns(text)["TOTAL"].params == account(architecture).total_params
    assert rows(text)["  Non-embedding"].params == account(architecture).non_embedding_params


@pytest.mark.parametrize("total_params", [10**power for power in range(6, 12)])
@pytest.mark.parametrize(("embedding_ratio", "n_layers"), [(0.05, None), (0.35, 1)])
def test_columns_add_up_and_stay_straight_at_every_size(
    total_params: int, embedding_ratio: float, n_layers: int | None
) -> None:
    config = ModelConfig(
        total_params=total_params, vocab_size=32_000, embedding_ratio=embedding_ratio, n_layers=n_layers
    )
    text = format_param_table(solve(config))
    title, rule, *table = text.split("\n\n")[0].splitlines()
    assert title == "Parameter Allocation Table"
    assert {len(line) for line in table} == {len(rule)}
    check_columns(text)


def test_one_layer_is_singular() -> None:
    text = format_param_table(Architecture(d_model=8, d_ff=8, n_layers=1))
    assert "Transformer Backbone (1 layer) " in text


def test_asked_and_got() -> None:
    text = format_param_table(solve(ModelConfig(embedding_ratio=0.35, glu_expansion=4.0, n_layers=2)))
    asked_got = text.split("\n\n", 2)[2]
    design = solve(ModelConfig(embedding_ratio=0.35, glu_expansion=4.0, n_layers=2))
    numbers = re.search(r"^glu_expansion +4 +([\d.]+) +([+−][\d.]+ %)(.*)$", asked_got, re.MULTILINE)
    assert numbers is not None
    assert float(numbers[1]) == pytest.approx(design.architecture.glu_expansion, abs=5e-5)
    assert (numbers[3] == "  off target by more than 5 %") == design.targets[2].off_target
    ending = re.search(r"Target +([\d,]+)\nActual +([\d,]+)\nDifference +([+-][\d,]+)  \((.*) %\)$", asked_got)
    assert ending is not None
    target, actual, difference = (int(number.replace(",", "")) for number in ending.group(1, 2, 3))
    assert (target, actual) == (10_000_000, design.total_params)
    assert difference == actual - target


def test_a_budget_of_its_own_is_shown_in_its_unit() -> None:
    text = format_param_table(solve(ModelConfig(total_params=16_000_000, budget="bytes", budget_precision="bf16")))
    assert text.endswith(
        "Target            16,000,000  bytes in bf16\n"
        "Actual            16,073,024  bytes in bf16\n"
        "Difference           +73,024  (+0.46 %)"
    )


def test_looped_layers_are_said_to_be() -> None:
    text = format_param_table(Architecture(d_model=1024, d_ff=2730, n_layers=3, n_loops=3))
    assert "Transformer Backbone (3 layers, used 3 times)" in text
    assert "  layers used 3 times" in text


def test_print_writes_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_param_table(solve(ModelConfig()))
    assert capsys.readouterr().out == DEFAULT


def small_model() -> LanguageModel:
    return LanguageModel(Architecture(vocab_size=10, max_seq_length=4, n_heads=2, d_model=4, d_ff=6, n_layers=2))


def test_a_shared_parameter_counts_once() -> None:
    linear = torch.nn.Linear(3, 3)
    twice = torch.nn.Sequential(linear, linear, torch.nn.Linear(3, 3))
    assert count_parameters(twice) == 2 * 12
    tied = small_model()
    assert tied.lm_head.weight is tied.token_embedding.weight
    assert count_parameters(tied) == account(tied.architecture).total_params


def freeze_positions(model: LanguageModel) -> None:
    model.position_embedding.weight.requires_grad_(False)


@pytest.mark.parametrize(
    ("freeze", "frozen"), [(freeze_positions, 4 * 4), (lambda model: model.requires_grad_(False), None)]
)
def test_frozen_parameters_do_not_count(freeze: Callable[[LanguageModel], object], frozen: int | None) -> None:
    model = small_model()
    before = count_parameters(model)
    freeze(model)
    assert count_parameters(model) == (0 if frozen is None else before - frozen)
    assert sum(count_components(model, account(model.architecture)).values()) == count_parameters(model)


def test_the_counts_of_a_model_are_counted_on_it() -> None:
    model = small_model()
    freeze_positions(model)
    found = check_columns(format_param_table(model))
    assert found["Position Embedding"].params == 0
    assert found["TOTAL"].params == account(model.architecture).total_params - 4 * 4


def test_a_parameter_that_the_account_does_not_list_is_refused() -> None:
    model = small_model()
    model.extra = torch.nn.Parameter(torch.zeros(2))
    with pytest.raises(KeyError, match="extra"):
        format_param_table(model)
