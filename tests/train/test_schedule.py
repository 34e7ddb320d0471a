"""Schedules: their shape for any shares, and their area."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlm.runs.recipe import TrainRecipe
from slimlm.train.schedule import rate_factor


@given(st.integers(1, 300), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["wsd", "cosine"]))
def test_a_schedule_rises_stays_and_falls_within_its_shares(steps: int, warmup: float, decay: float, name: str) -> None:
    decay *= 1 - warmup
    recipe = TrainRecipe(
        tokens=steps,
        batch_tokens=1,
        warmup_share=warmup,
        decay_share=decay,
        schedule=name,  # type: ignore[arg-type]
    )
    factors = [rate_factor(recipe, step) for step in range(steps)]
    rising, falling = round(warmup * steps), round(decay * steps)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:rising] == pytest.approx([(n + 1) / rising for n in range(rising)])
    later = factors[rising:]
    assert later == sorted(later, reverse=True)
    if name == "wsd":
        assert later[: max(0, steps - rising - falling)] == [1.0] * max(0, steps - rising - falling)
        # Linear to 0 in the step after the last: the decay's mean factor is ½ · (1 + 1/steps).
        tail = factors[steps - falling :] if falling and rising + falling <= steps else []
        assert sum(tail) == pytest.approx((falling + 1) / 2 if tail else 0)
    elif later:
        assert sum(later) == pytest.approx((len(later) + 1) / 2)  # the mean of a half cosine, at its left ends
