"""Sizes are read as people write them, and written so that they read back."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.utils.formatting import (
    format_bytes,
    format_count,
    format_miss,
    format_seconds,
    format_share,
    format_size,
    parse_number,
    parse_size,
)

NOT_A_SIZE = "is not a size; write a number such as 10M, 1.5B, 16k, 12_345 or 12345678"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678", 12_345_678),
        ("0", 0),
        ("007", 7),
        ("10M", 10_000_000),
        ("10m", 10_000_000),
        ("1.5B", 1_500_000_000),
        ("1.5g", 1_500_000_000),
        ("2T", 2_000_000_000_000),
        (".5k", 500),
        ("5.k", 5000),
        ("1.000k", 1000),
        ("12_345", 12_345),
        ("1,234,567", 1_234_567),
        ("1_000M", 1_000_000_000),
        ("1e6", 1_000_000),
        ("1.25E3k", 1_250_000),
        ("  16k\n", 16_000),
        ("1e15", 10**15),
    ],
)
def test_parse_size(text: str, value: int) -> None:
    found = parse_size(text)
    assert (found, type(found)) == (value, int)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "k", ".", "e6", ".k", "abc", "None", "nan", "inf", "0x10", "10  M M", "10MM", "10Q", "10%", "1/2"),
        *("-5", "+5", "−5", "1e-3", "1e+6", "1e100"),
        *("1,50", "1_0", "1,,000", "_100", "100_", "1 00", "1.5.2", "1,000.5k"),
        *("٣", "１０", "²", "10Ｍ", "½", "\N{MATHEMATICAL BOLD DIGIT ONE}"),
        *("1\n0", "1\x00", "10M; rm"),
    ],
)
def test_parse_size_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} {NOT_A_SIZE}")):
        parse_size(text)


@pytest.mark.parametrize("digit", ["1", "9", "0", "x", ","])
def test_parse_size_shortens_a_long_text_in_its_message(digit: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"'{40 * digit}' {NOT_A_SIZE}")) as caught:
        parse_size(100_000 * digit)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.0005k", "'1.0005k' is 1000.5, which is not a whole number; write one such as 1000"),
        ("0.1", "'0.1' is 0.1, which is not a whole number; write one such as 0"),
        ("2.5", "'2.5' is 2.5, which is not a whole number; write one such as 2"),
    ],
)
def test_parse_size_refuses_fractions(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_size(text)


@given(st.text(max_size=50))
@settings(deadline=None)
def test_parse_size_returns_a_size_or_refuses(text: str) -> None:
    try:
        assert parse_size(text) >= 0
    except ValueError as error:
        assert "write" in str(error)  # the next move


@given(
    st.integers(0, 10**18)
    | st.builds(lambda digits, power: digits * 10**power, st.integers(1, 9999), st.integers(0, 12))
)
@settings(deadline=None)
def test_format_size_reads_back(value: int) -> None:
    text = format_size(value)
    assert parse_size(text) == value
    assert len(text) <= len(str(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1024, "1024"),
        (1500, "1500"),
        (10_500, "10500"),
        (50_257, "50257"),
        (128_256, "128256"),
        (12_500_000, "12.5M"),
        (999_999_999, "999999999"),
        (7_000_000_000, "7B"),
        (10**15, "1000T"),
    ],
)
def test_format_size(value: int, text: str) -> None:
    assert format_size(value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.35", 0.35),
        (".35", 0.35),
        ("35%", 0.35),
        (" 35 % ", 0.35),
        ("8/3", 2.666667),
        ("8 / 3", 2.666667),
        ("4", 4.0),
    ],
)
def test_parse_number(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "1/0", "1/", "%", "1//2", "0,35", "٣", 100 * "1"])
def test_parse_number_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(
        ValueError, match=re.escape(f"{text[:40]!r} is not a number; write one such as 0.35, 35% or 8/3")
    ):
        parse_number(text)


def test_parse_number_refuses_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match=r"^'1e999' is too large; write a number such as 0\.35 or 2\.66$"):
        parse_number("1e999")


@given(st.integers(0, 10**20))
@settings(deadline=None)
def test_format_count_rounds_to_four_digits_that_parse_size_reads(value: int) -> None:
    text = format_count(value)
    assert parse_size(text) == pytest.approx(value, rel=0.5001e-3)
    assert (len(text) == 6) == (1000 <= value < 999.95e12) or value >= 999.95e12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.000k"),
        (9_999, "9.999k"),
        (9_999_600, "10.00M"),
        (99_994, "99.99k"),
        (99_996, "100.0k"),
        (999_949, "999.9k"),
        (999_950, "1.000M"),
        (999_950_000, "1.000B"),
        (10_047_024, "10.05M"),
        (999_949_000_000, "999.9B"),
        (999_950_000_000, "1.000T"),
        (1_994_900_000_000, "1.995T"),
        (999_949 * 10**9, "999.9T"),
        (999_950 * 10**9, "1,000T"),
        (10**18, "1,000,000T"),
    ],
)
def test_format_count(value: int, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (1e-12, "< 0.1 %"),
        (0.000499, "< 0.1 %"),
        (0.000501, "0.1 %"),
        (0.9994, "99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_format_share(value: float, text: str) -> None:
    assert format_share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "±0 %"),
        (0.00471, "+0.47 %"),
        (-0.0532, "−5.32 %"),
        (1e-9, "±0 %"),
        (-1e-9, "±0 %"),
        (1.9, "+190.00 %"),
    ],
)
def test_format_miss(value: float, text: str) -> None:
    assert format_miss(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_600, "1.00 MB"),
        (40_188_096, "40.2 MB"),
        (999_500_000, "1.00 GB"),
        (512e9, "512 GB"),
        (999.4e9, "999 GB"),
        (999.6e9, "1.00 TB"),
        (3.2e12, "3.20 TB"),
        (99_960e9, "100 TB"),
        (3.2e15, "3,200 TB"),
    ],
)
def test_format_bytes(value: float, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "< 1 ms"),
        (0.0009, "< 1 ms"),
        (0.00096, "1 ms"),
        (0.999, "999 ms"),
        (0.9996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "100 s"),
        (180.0, "3 min"),
        (5969, "99 min"),
        (5971, "1.7 h"),
        (86_400, "24.0 h"),
        (2 * 86_400, "2 days"),
        (731 * 86_400, "2.0 years"),
    ],
)
def test_format_seconds(value: float, text: str) -> None:
    assert format_seconds(value) == text


@given(st.floats(1e-3, 1e7))
@settings(deadline=None)
def test_format_seconds_is_the_duration(value: float) -> None:
    number, unit = format_seconds(value).split()
    scale = {"ms": 1e-3, "s": 1, "min": 60, "h": 3600, "days": 86_400}[unit]
    last_digit = scale / 10 ** len(number.partition(".")[2])
    assert abs(float(number) * scale - value) <= 0.5001 * last_digit
    assert len(number.partition(".")[0]) <= 3 or unit == "h"


@given(st.floats(1.0, 9e14))
@settings(deadline=None)
def test_format_bytes_is_the_size(value: float) -> None:
    number, unit = format_bytes(value).split()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert math.isclose(float(number) * scale, value, rel_tol=0.0051, abs_tol=0.51)
