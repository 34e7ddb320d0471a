"""The Design page in a real Chromium: what only a browser shows."""

import re

from playwright.sync_api import Page, expect

from tests.browser import chart, check_passes, choose, open_app, open_section, press, settle, type_exactly

DEFAULT_TITLE = "10.05M parameters"


def test_the_default_design_is_shown_at_once_and_its_pytorch_check_passes(page: Page, address: str) -> None:
    open_app(page, address)
    expect(chart(page)).to_contain_text(DEFAULT_TITLE)
    expect(page.get_by_test_id("stMain")).to_contain_text("12 layers of width 216")
    expect(page.get_by_test_id("stMain")).to_contain_text("10,047,024")
    check_passes(page)


def test_an_arrow_key_on_each_slider_changes_the_chart_the_field_and_the_link(page: Page, address: str) -> None:
    open_app(page, address)
    for slider, field, value in (
        ("Total parameters", "total_params", "11M"),
        ("Vocabulary size", "vocab_size", "24,000"),
        ("Embedding ratio", "embedding_ratio", "0.36"),
        ("GLU expansion", "glu_expansion", "2.7"),
    ):
        before = chart(page).text_content() or ""
        press(page, slider, "ArrowRight")
        expect(page.get_by_label(f"{slider}, exact")).to_have_value(value)
        expect(chart(page)).not_to_have_text(before)
        expect(page).to_have_url(re.compile(rf"{field}={re.escape(value.replace(',', ''))}"))
        settle(page)


def test_every_slider_goes_to_both_ends_without_a_traceback(page: Page, address: str) -> None:
    open_app(page, address)
    for slider in ("Total parameters", "Vocabulary size", "Embedding ratio", "GLU expansion"):
        for key in ("Home", "End"):
            press(page, slider, key)
            settle(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            expect(page.get_by_test_id("stMain")).to_contain_text(re.compile("of width|clashes with"))


def test_a_typed_value_is_taken_exactly_and_nonsense_is_refused_in_a_sentence(page: Page, address: str) -> None:
    open_app(page, address)
    type_exactly(page, "Total parameters", "12.5M")
    expect(chart(page)).to_contain_text("Target: 12.5M ·")
    type_exactly(page, "Vocabulary size", "50257")
    expect(chart(page)).to_contain_text("vocabulary 50,257")
    type_exactly(page, "Embedding ratio", "banana")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("'banana' is not a number; write one such as 0.35")
    expect(page.get_by_label("Embedding ratio, exact")).to_have_value("banana")
    expect(chart(page)).to_contain_text("embedding ratio 0.35")
    press(page, "Embedding ratio", "ArrowRight")
    expect(page.get_by_label("Embedding ratio, exact")).to_have_value("0.36")
    expect(page.get_by_test_id("stSidebar")).not_to_contain_text("banana")


def test_each_choice_moves_the_chart_and_the_link(page: Page, address: str) -> None:
    open_app(page, address)
    page.get_by_text("Architecture", exact=True).click()
    for label, word, query in (
        ("Norm", "RMSNorm", "norm=rmsnorm"),
        ("Positions", "RoPE", "positions=rope"),
        ("Feed-forward", "GELU", "ffn=gelu"),
        ("QK-norm", "Per head", "qk_norm=head"),
        ("Biases", "Q, K, V", "bias=qkv"),
    ):
        before = chart(page).text_content() or ""
        choose(page, label, word)
        expect(chart(page)).not_to_have_text(before)
        expect(page).to_have_url(re.compile(query))
        settle(page)
    expect(page.get_by_role("spinbutton", name="RoPE base")).to_be_enabled()


def test_heads_left_to_the_solver_are_typed_or_slid_to(page: Page, address: str) -> None:
    open_app(page, address)
    type_exactly(page, "Attention heads", "auto")
    expect(page).to_have_url(re.compile("n_heads=auto"))
    expect(chart(page)).to_contain_text("auto heads")
    press(page, "Attention heads", "ArrowRight")
    expect(page).to_have_url(re.compile("n_heads=1$"))
    expect(page.get_by_label("Attention heads, exact")).to_have_value("1")
    press(page, "Attention heads", "Home")
    expect(page).to_have_url(re.compile("n_heads=auto"))


def test_key_value_heads_that_do_not_divide_are_mended_by_a_button(page: Page, address: str) -> None:
    open_app(page, address)
    page.get_by_text("Architecture", exact=True).click()
    field = page.get_by_role("spinbutton", name="KV heads")
    field.fill("3")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("n_kv_heads=3 is not allowed: it must divide n_heads=8")
    expect(page).to_have_url(re.compile("n_kv_heads=3"))
    page.get_by_role("button", name=re.compile("Set n_kv_heads to 4: ")).click()
    expect(chart(page)).to_contain_text("8 heads (4 KV)")
    expect(field).to_have_value("4")


def test_an_impossible_request_ends_in_a_sentence_and_a_button_that_works(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=1M&vocab_size=262144")
    expect(page.get_by_role("alert")).to_contain_text("total_params=1,000,000 clashes with vocab_size=262144")
    page.get_by_role("button", name="vocabulary 16,000").click()
    expect(chart(page)).to_contain_text("vocabulary 16,000")
    expect(page).not_to_have_url(re.compile("vocab_size=262144"))


def test_a_drag_moves_a_slider_once_and_the_design_with_it(page: Page, address: str) -> None:
    open_app(page, address)
    handle = page.get_by_role("slider", name="Embedding ratio")
    box = handle.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    expect(page).to_have_url(re.compile("embedding_ratio=0.[4-9]"))
    field = page.get_by_label("Embedding ratio, exact")
    expect(field).to_have_value(re.compile("0.[4-9]"))
    asked = field.input_value()
    expect(chart(page)).to_contain_text(f"embedding ratio {asked}")


def test_a_preset_moves_every_knob_and_reset_moves_them_back(page: Page, address: str) -> None:
    open_app(page, address)
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name="30M, multiples of 8").click()
    expect(chart(page)).to_contain_text("Target: 30M ·")
    expect(page).to_have_url(re.compile("total_params=30M.*n_heads=6.*multiple_of=8"))
    page.get_by_role("button", name="Reset all").click()
    expect(chart(page)).to_contain_text(DEFAULT_TITLE)
    expect(page).not_to_have_url(re.compile("total_params"))


def test_an_alternative_is_applied_by_its_button(page: Page, address: str) -> None:
    open_app(page, address)
    open_section(page, "Alternatives")
    page.get_by_role("button", name="5 heads").click()
    expect(chart(page)).to_contain_text("11 layers × d_model 220")
    expect(page).to_have_url(re.compile("n_heads=5"))


def test_a_click_on_the_trade_off_applies_that_design(page: Page, address: str) -> None:
    open_app(page, address, "?tab=alternatives")
    points = page.get_by_test_id("stVegaLiteChart").nth(1)
    points.scroll_into_view_if_needed()
    points.locator("svg .mark-symbol path").first.click()  # the first alternative; the current design is drawn last
    expect(chart(page)).to_contain_text("11 layers × d_model 220")


def test_a_model_that_is_being_built_is_dropped_when_a_slider_moves(page: Page, address: str) -> None:
    open_app(page, address, "?total_params=1B&vocab_size=32000&embedding_ratio=0.06&n_heads=16")
    page.get_by_role("button", name=re.compile("Build and check")).click()
    expect(page.get_by_text(re.compile("initialising the weights"))).to_be_visible()
    press(page, "GLU expansion", "ArrowRight")
    expect(chart(page)).to_contain_text("GLU expansion 2.7 ")
    settle(page)
    build = page.get_by_role("button", name=re.compile("Build and check"))
    expect(build).to_be_visible()
    build.click()
    page.get_by_role("button", name="Cancel").click()
    expect(build).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
