"""All pages in a real Chromium, light and dark, wide and narrow: no fault, nothing cut off, text that can be read."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser
TABS = ("explore", "train", "compare", "latents", "evaluate", "data", "learn")

# The least contrast of a text with what it lies on, over all that is shown (WCAG 2: relative luminance).
CONTRAST = """(page) => {
  const rgba = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const ground = (node) => {
    for (let up = node; up; up = up.parentElement) {
      const [r, g, b, a = 1] = rgba(getComputedStyle(up).backgroundColor);
      if (getComputedStyle(up).backgroundImage !== "none") return null;
      if (a === 1) return [r, g, b];
      if (a > 0) return null;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const found = [];
  for (const node of document.querySelectorAll(`#pvs-${page} *`)) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility({ opacityProperty: true })) continue;
    if (node.closest(":disabled, [inert], svg, .plot-container")) continue;
    const on = ground(node);
    if (!on) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(on)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), `${node.tagName}.${node.className}: ${node.textContent.trim().slice(0, 40)}`]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 3);
}"""


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(page: Any, studio: str, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{studio}/?tab=explore&__theme={scheme}")
    page.wait_for_function("window.pvs?.explore?.drawn > 0")
    assert page.evaluate("pvs.isDark()") is (scheme == "dark")
    for tab in TABS:
        page.evaluate("(tab) => pvs.openTab(tab)", tab)
        page.wait_for_selector(f"#pvs-{tab}", state="visible")
        page.wait_for_function("(tab) => document.getElementById(`pvs-${tab}`).innerText.trim().length > 20", arg=tab)
        page.locator(f"#pvs-{tab} details").evaluate_all("all => all.forEach((one) => (one.open = true))")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        worst = page.evaluate(CONTRAST, tab)
        assert worst and worst[0][0] >= 4.5, (tab, worst)
