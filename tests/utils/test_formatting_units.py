"""Number formats of units: rounding up to the next unit switches to it."""

import pytest

from slimlm.utils.formatting import SHORT_UNITS, UNITS, Unit


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("flops", 999_400, "999 kFLOP"),
        ("flops", 999_600, "1.00 MFLOP"),
        ("flops", 999.4e12, "999 TFLOP"),
        ("flops", 999.6e12, "1.00 · 10¹⁵ FLOP"),
        ("flops", 5.76e23, "5.76 · 10²³ FLOP"),
        ("bytes", 999.4e9, "999 GB"),
        ("bytes", 999.6e9, "1.00 TB"),
        ("tokens", 999.9e9, "999.9B"),
        ("tokens", 999.96e9, "1.000T"),
        ("seconds", 86_400, "24.0 h"),
        ("seconds", 2 * 86_400, "2 days"),
        ("seconds", 731 * 86_400, "2.0 years"),
        ("usd", 99.99, "$99.99"),
        ("usd", 99.996, "$100"),
        ("usd", 0, "$0.00"),
        ("nats", 3.314, "3.31 nats"),
        ("tokens_per_second", 12_345.6, "12,346 tokens/s"),
        ("tokens_per_second", 0.4567, "0.46 tokens/s"),
        ("miss", -0.3621, "−36.21 %"),
        ("share", 2.5, "250.0 %"),
        ("whole", 12_345, "12,345"),
        ("params", 10_047_024, "10,047,024"),
        ("real", 999.6, "1,000"),
        ("real", 2.5185, "2.52"),
        ("worst_miss", 0.0532, "5.32 %"),
    ],
)
def test_amounts_are_written_in_the_unit_that_fits(unit: Unit, value: float, text: str) -> None:
    assert UNITS[unit](value) == text


def test_only_parameters_have_a_short_form() -> None:
    assert SHORT_UNITS["params"](10_047_024) == "10.05M"
    assert {unit for unit in UNITS if SHORT_UNITS[unit] is not UNITS[unit]} == {"params"}
