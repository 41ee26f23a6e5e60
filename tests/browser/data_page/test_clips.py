"""A store's clips on the Data page in a real Chromium: the wall, and one clip at all its stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pvswgan.data import ClipStore
from pvswgan.video import to_uint8
from tests.browser import pixels
from tests.browser.data_page import PAGE, pyramid_is, reds, ref, visit, wall_is
from tests.studio import stores

pytestmark = pytest.mark.browser


def test_the_wall_plays_in_step_and_pauses(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    seen = set()
    for _ in range(12):
        moment = reds(page)
        longest = moment[3:]
        assert max(longest) - min(longest) < 6, "all clips of one length show the same frame"
        frame = (np.mean(longest) - 20) / 15
        assert abs(moment[0] - (15 * (round(frame) * 4 // 12) + 20)) < 8, "4 frames take the time of 12"
        seen.add(round(frame))
        page.wait_for_timeout(80)
    assert len(seen) > 3
    ref(page, "wall-play").click()
    assert ref(page, "wall-play").inner_text() == "Play"
    rest = reds(page)
    page.wait_for_timeout(400)
    assert reds(page) == rest
    ref(page, "wall-play").click()
    page.wait_for_function("before => document.querySelector('.pd-wall').dataset.frame !== before",
                           arg=ref(page, "wall").get_attribute("data-frame"))


def test_classes_splits_pages_and_an_order_by_chance(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    bottom = ref(page, "next").bounding_box()
    ref(page, "next").click()
    wall_is(page, list(range(24, 30)))
    assert ref(page, "page").inner_text() == "page 2 of 2" and ref(page, "next").is_disabled()
    assert ref(page, "next").bounding_box() == bottom, "the buttons stay under the hand"
    ref(page, "class").select_option("2")
    wall_is(page, list(range(2, 30, 3)))
    assert page.locator(f"{PAGE} .pd-tile small").first.inner_text() == "<b>jump</b>"
    ref(page, "split").select_option("test")
    wall_is(page, list(range(5, 30, 6)))
    ref(page, "class").select_option("")
    ref(page, "split").select_option("*")
    wall_is(page, list(range(24)))
    ref(page, "shuffle").click()
    page.wait_for_function("() => document.querySelector('.pd-wall [data-clip]').dataset.clip !== '0' || "
                           "document.querySelectorAll('.pd-wall [data-clip]')[1].dataset.clip !== '1'")
    ref(page, "shuffle").click()
    wall_is(page, list(range(24)))
    held: list[Any] = []
    page.route("**/api/data/clips?*page=1*", lambda route: held.append(route))
    with page.expect_request("**/api/data/clips?*page=1*"):
        ref(page, "next").click()
    ref(page, "shuffle").click()
    held[0].continue_()
    page.unroute("**/api/data/clips?*page=1*")
    page.wait_for_function("() => { const at = [...document.querySelectorAll('.pd-wall [data-clip]')]"
                           ".map((tile) => Number(tile.dataset.clip));"
                           " return at.length === 24 && at.some((clip, place) => clip !== place); }")
    assert ref(page, "page").inner_text() == "page 1 of 2", "the late page is not the new order's"
    ref(page, "shuffle").click()
    wall_is(page, list(range(24)))
    ref(page, "next").click()
    wall_is(page, list(range(24, 30)))
    page.route("**/api/data/clips?*page=0*", lambda route: held.append(route))
    with page.expect_request("**/api/data/clips?*page=0*"):
        ref(page, "back").click()
    ref(page, "back").click()  # there is no page before it
    held[1].continue_()
    page.unroute("**/api/data/clips?*page=0*")
    wall_is(page, list(range(24)))
    assert ref(page, "page").inner_text() == "page 1 of 2" and ref(page, "no-clips").is_hidden()
    page.wait_for_selector(f'{PAGE} [data-ref="classes"][data-bars="3"]')
    page.locator(f'{PAGE} [data-ref="classes"] .nsewdrag').click(position={"x": 20, "y": 51})  # the middle bar
    wall_is(page, list(range(1, 30, 3)))
    assert ref(page, "class").input_value() == "1"


def test_the_wall_by_keyboard(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    ref(page, "wall-play").focus()
    for key in ("Tab", "ArrowRight", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    pyramid_is(page, 1, "paper average 8 0")
    assert page.evaluate("document.activeElement.dataset.ref") == "clip-title"
    assert page.locator(f'{PAGE} [data-clip="1"][aria-pressed="true"]').count() == 1
    assert page.locator(f'{PAGE} .pd-wall button[tabindex="0"]').count() == 1, "one stop for the whole wall"


def test_larger_clips_come_with_their_own_pixels_and_fewer_a_page(page: Any, urls: Callable[..., str],
                                                                  cache: Path) -> None:
    store = stores.make(cache / "large", [32] * 10, resolution=256)
    stores.make(cache / "small", [4] * 3)
    visit(page, urls(), "large")
    wall_is(page, list(range(10)))
    tile = page.locator(f'{PAGE} .pd-tile canvas')
    assert ref(page, "size").locator("option").all_inner_texts() == ["64 pixels", "128 pixels", "256 pixels, 8 a page"]
    assert tile.first.evaluate("canvas => canvas.width") == 64
    small = tile.first.bounding_box()["width"]
    ref(page, "size").select_option("256")
    wall_is(page, list(range(8)))
    assert tile.first.bounding_box()["width"] > max(256, small), "larger on the screen too"
    ref(page, "next").click()
    wall_is(page, [8, 9])
    ref(page, "wall-play").click()
    frame = int(ref(page, "wall").get_attribute("data-frame"))
    shown = pixels(page, f'{PAGE} .pd-wall [data-clip="9"] canvas').astype(int)
    assert np.abs(shown - store.pixels([9], [frame], 1, 1, 256)[0, 0]).mean() < 4
    ref(page, "size").select_option("128")
    wall_is(page, list(range(10)))  # the page on which clip 8 is
    page.locator('[data-store="small"]').click()
    wall_is(page, [0, 1, 2])
    assert not ref(page, "size").is_visible(), "it has one size only"
    page.locator('[data-store="large"]').click()
    wall_is(page, list(range(10)))
    assert ref(page, "size").input_value() == "128", "what was chosen holds where it can"


def assert_pyramid(page: Any, store: ClipStore, clip: int, start: int, frames: int, time: str, at: int) -> None:
    """Every canvas holds its stage of the store at frame `at` of the last stage, bit for bit."""
    canvases = page.locator(f"{PAGE} .pd-pyramid canvas")
    names = [canvases.nth(i).get_attribute("data-stage") for i in range(canvases.count())]
    assert names == ["4×4×4", "8×8×8", "8×16×16"] and frames == 8
    for name in names:
        length, size = int(name.split("×")[0]), int(name.split("×")[1])
        wanted = to_uint8(store.read([clip], [start], frames, 1, (length, size), time))[0, at * length // frames]
        np.testing.assert_array_equal(pixels(page, f'{PAGE} canvas[data-stage="{name}"]'), wanted)


def test_a_clip_at_all_its_stages(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    page.locator(f'{PAGE} [data-clip="7"]').click()
    pyramid_is(page, 7, "paper average 8 0")
    assert ref(page, "clip-title").inner_text() == "Clip 7"
    # all at one moment: the page may still be scrolling to the clip
    boxes = page.locator(f"{PAGE} .pd-pyramid canvas").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({ top, width }) => [top, Math.round(width)])")
    assert len(boxes) > 2 and len({tuple(box) for box in boxes}) == 1, "side by side, equally large"
    assert page.locator(f'{PAGE} [data-fact="Source"]').inner_text() == "run/7.mp4"
    ref(page, "frame").fill("5")  # scrubbing rests the clip
    assert ref(page, "play").inner_text() == "Play" and ref(page, "frame-number").inner_text() == "6 of 8"
    assert_pyramid(page, many, 7, 0, 8, "average", 5)
    ref(page, "frame").press("ArrowLeft")
    assert_pyramid(page, many, 7, 0, 8, "average", 4)
    ref(page, "window").fill("3")
    pyramid_is(page, 7, "paper average 8 3")
    assert_pyramid(page, many, 7, 3, 8, "average", 4)
    ref(page, "time").select_option("subsample")
    pyramid_is(page, 7, "paper subsample 8 3")
    assert_pyramid(page, many, 7, 3, 8, "subsample", 4)
    ref(page, "order").select_option("joint")
    ref(page, "frames").select_option("4")
    pyramid_is(page, 7, "joint subsample 4 0")
    ref(page, "play").click()
    page.wait_for_function("before => document.querySelector('[data-ref=frame-number]').textContent !== before",
                           arg=ref(page, "frame-number").inner_text())
