"""Whether a page in a browser shows all of its text, light and dark."""

from contextlib import suppress

from playwright.sync_api import Page, TimeoutError, ViewportSize, expect

WIDTHS = {"desk": (1440, 1280, 1024), "phone": (390, 768)}
"""Widths of windows that a page is looked at in, one after the other; the first decides whether the sidebar is open."""

# Text that its own box or one around it hides, and lines that a chart had to shorten.
CUT_OFF = """
() => {
  const hidden = [...document.querySelectorAll('[data-testid=stMain] *, [data-testid=stSidebar] *')].filter((box) => {
    const style = getComputedStyle(box);
    if (!box.checkVisibility({opacityProperty: true})) return false; // Vega hides labels that would overlap
    const words = [...box.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const closed = box.closest('[data-testid=stSidebar][data-collapsed=true]');
    const chosen = box.role === 'combobox' && box.value && !closed; // a list shows its choice in a field
    const hides = style.overflowX !== 'visible' && box.scrollWidth > box.clientWidth + 1;
    return (words || chosen) && box.clientWidth > 0 && hides;
  });
  // Text beyond an edge of a box around it that hides it; in a box that scrolls, a reader can reach it.
  const beyond = [];
  const walker = document.createTreeWalker(document.querySelector('[data-testid=stMain]'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const seen = node.parentElement.checkVisibility({visibilityProperty: true, opacityProperty: true});
    if (!node.textContent.trim() || !seen) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const text = range.getBoundingClientRect();
    for (let box = node.parentElement; box; box = box.parentElement) {
      const overflow = getComputedStyle(box).overflowX;
      if (overflow === 'auto' || overflow === 'scroll') break;
      if (overflow === 'visible') continue;
      const edges = box.getBoundingClientRect();
      if (edges.width <= 1) break; // text for screen readers alone
      if (text.right > edges.right + 1 || text.left < edges.left - 1) {
        beyond.push(node.parentElement);
        break;
      }
    }
  }
  const shortened = [...document.querySelectorAll('svg text')].filter((text) => text.textContent.includes('…'));
  return [...hidden, ...beyond, ...shortened].map((box) => box.textContent.trim() || box.value);
}
"""

# Pairs of a chart's texts whose boxes cover each other by more than their rounding.
OVERLAPS = """
() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg')].flatMap((svg) => {
  const lines = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim()
    && text.checkVisibility({opacityProperty: true}) && !text.closest('[aria-hidden=true]')); // halos around names
  const boxes = lines.map((line) => [line.textContent, line.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
                    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
    .map(([other]) => `${one} | ${other}`));
})
"""

WIDER = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth ? ['the page scrolls'] : []"

# Whether every chart's text has this ink, which stands for light or dark.
DRAWN = """
(ink) => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg')].every(
  (svg) => [...svg.querySelectorAll('text')].some((text) => text.getAttribute('fill') === ink))
"""
INKS = {"light": "#1F2328", "dark": "#F5F5F5"}


def start_at(page: Page, widths: str) -> None:
    """Give a window the first of some widths, before a page is opened."""
    page.set_viewport_size(ViewportSize(width=WIDTHS[widths][0], height=900))


def faults(page: Page, widths: str) -> list[str]:
    """Return what is wrong at each width: text cut off or overlapping, a page wider than its window.

    The first width is looked at in light and dark: where text stands does not depend on the colours.
    """
    first, *others = WIDTHS[widths]
    looks = [(first, "light"), *((width, "dark") for width in (first, *others))]
    found = []
    for width, colours in looks:
        page.set_viewport_size(ViewportSize(width=width, height=900))
        found += [f"{width}, {colours}: {fault}" for fault in _faults(page, colours)]
    return found


def _faults(page: Page, colours: str) -> list[str]:
    page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", colours)
    page.wait_for_function(DRAWN, arg=INKS[colours])
    return [fault for script in (CUT_OFF, OVERLAPS, WIDER) for fault in _at_rest(page, script)]


def _at_rest(page: Page, script: str) -> list[str]:
    """Return what is still wrong when charts have taken the width of a page that has come to rest."""
    with suppress(TimeoutError):
        page.wait_for_function(f"({script})().length === 0", timeout=20_000)
    found: list[str] = page.evaluate(script)
    return found
