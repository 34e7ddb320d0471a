"""ModelConfig is what was asked: frozen, by keyword, never rewritten."""

import dataclasses
import pickle
from typing import Any

import pytest
from hypothesis import given, settings

from slimlm.core.config import ModelConfig
from tests.strategies import any_requests


def test_defaults_are_the_specification() -> None:
    assert dataclasses.asdict(ModelConfig()) == {
        "vocab_size": 16_000,
        "total_params": 10_000_000,
        "embedding_ratio": 0.35,
        "glu_expansion": 2.66,
        "max_seq_length": 512,
        "n_heads": 8,
        "n_kv_heads": None,
        "head_dim": None,
        "norm": "layernorm",
        "positions": "learned",
        "ffn": "swiglu",
        "bias": "none",
        "qk_norm": "none",
        "block": "pre_norm",
        "rope_theta": 10_000.0,
        "tied_lm_head": True,
        "lm_head_bias": False,
        "embedding_norm": False,
        "position_offset": 0,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "layer_norm_eps": 1e-6,
        "n_layers": None,
        "multiple_of": 1,
    } | {
        "window": None,
        "layer_pattern": "f",
        "window_rope_theta": None,
        "rotary_share": 1.0,
        "attention_scale": None,
        "attention_softcap": None,
        "logit_softcap": None,
        "embedding_scale": 1.0,
        "residual_scale": 1.0,
        "logit_scale": 1.0,
    }


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ModelConfig)])
def test_frozen(field: str) -> None:
    config = ModelConfig()
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{field}'"):
        setattr(config, field, getattr(config, field))


def test_keyword_only() -> None:
    positional: Any = ModelConfig
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        positional(16_000)


def test_unknown_fields_are_refused() -> None:
    unknown: Any = {"vocabulary": 16_000}
    with pytest.raises(TypeError, match="unexpected keyword argument 'vocabulary'"):
        ModelConfig(**unknown)


@pytest.mark.parametrize(("tied", "tables"), [(True, 1), (False, 2)])
def test_vocabulary_tables(tied: bool, tables: int) -> None:
    assert ModelConfig(tied_lm_head=tied).vocabulary_tables == tables


@given(any_requests())
@settings(deadline=None)
def test_nothing_is_rewritten(config: ModelConfig) -> None:
    asked = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    again = ModelConfig(**asked)
    assert again == config == pickle.loads(pickle.dumps(config))
    assert hash(again) == hash(config)
    assert all(getattr(again, name) is value for name, value in asked.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"total_params": 0},
            "^total_params=0 is not allowed: .* between 1 and 1,000,000,000,000,000; total_params=1 would",
        ),
        ({"total_params": 1e7}, r"^total_params=10000000\.0 is not allowed: .*; total_params=10000000 would work$"),
        (
            {"vocab_size": "16k"},
            "^vocab_size='16k' is not allowed: .* between 2 and 100,000,000; vocab_size=16000 would",
        ),
        ({"vocab_size": 1}, "^vocab_size=1 is not allowed: .*; vocab_size=2 would work$"),
        (
            {"n_heads": 1025},
            "^n_heads=1025 is not allowed: .* between 1 and 1,024, or 'auto'; n_heads=1024 would work$",
        ),
        ({"embedding_ratio": 0.0}, r"^embedding_ratio=0\.0 is not allowed: it must be a number between "),
        ({"embedding_ratio": 1.0}, r"^embedding_ratio=1\.0 is not allowed: it must be a number between "),
        ({"embedding_ratio": 35}, "^embedding_ratio=35 is not allowed: it must be a number between "),
        (
            {"glu_expansion": -2.66},
            r"^glu_expansion=-2\.66 is not allowed: .* 0\.01 and 1000; glu_expansion=0\.01 would",
        ),
        ({"dropout": 1.0}, r"^dropout=1\.0 is not allowed: .* between 0 and 0\.99; dropout=0\.99 would work$"),
        ({"n_layers": 0}, "^n_layers=0 is not allowed: .*, or None; n_layers=1 would work$"),
        ({"multiple_of": 0}, "^multiple_of=0 is not allowed: .* between 1 and 65,536; multiple_of=1 would work$"),
        (
            {"tied_lm_head": "yes"},
            "^tied_lm_head='yes' is not allowed: it must be True or False; tied_lm_head=True would",
        ),
    ],
)
def test_a_bad_field_is_refused_with_a_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"n_kv_heads": 3},
            "^n_kv_heads=3 is not allowed: it must divide n_heads=8; "
            "n_kv_heads=2 or n_kv_heads=4 or n_heads=9 would work$",
        ),
        (
            {"n_heads": 7, "n_kv_heads": 9},
            "^n_kv_heads=9 is not allowed: it must divide n_heads=7; n_kv_heads=7 or n_heads=9 would work$",
        ),
        (
            {"positions": "rope", "head_dim": 27},
            "^head_dim=27 is not allowed with positions='rope': it must be even, because RoPE turns pairs; head_dim=28",
        ),
        (
            {"n_heads": "auto", "head_dim": 27},
            "^head_dim=27 is not allowed with n_heads='auto': it must be even, from 16 to 256; head_dim=26 would work$",
        ),
        ({"n_heads": "auto", "head_dim": 512}, "^head_dim=512 is not allowed .*; head_dim=256 would work$"),
        (
            {"n_heads": "auto", "n_kv_heads": 257},
            "^n_kv_heads=257 is not allowed with n_heads='auto': it must be at most 256; n_kv_heads=256 would work$",
        ),
        (
            {"positions": "rope", "position_offset": 2},
            "^position_offset=2 is not allowed with positions='rope': only a learned table has rows; position_offset=0",
        ),
    ],
)
def test_choices_that_exclude_each_other_are_refused_with_a_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**changes)


def test_changed_names_what_is_not_at_its_default() -> None:
    assert ModelConfig().changed() == {}
    assert ModelConfig(norm="rmsnorm", n_heads="auto", total_params=5).changed() == {
        "norm": "rmsnorm",
        "n_heads": "auto",
    }
