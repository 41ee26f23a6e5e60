"""The Data page as a person uses it, in a real Chromium: real imports, and small stores whose pixels are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pvswgan.data import ClipStore
from pvswgan.data.pieces import Drop
from pvswgan.studio import data_jobs
from pvswgan.video import to_uint8
from tests.browser import pixels, studio_here
from tests.data.files import write_strip
from tests.studio import stores
from tests.studio.conftest import pretend

pytestmark = pytest.mark.browser
PAGE = "#pvs-data"
LENGTHS = (4, 8, 8, *[12] * 27)  # of 30 clips: two pages


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """The address of a studio with these settings; one for all tests, as it keeps nothing of the Data page."""
    folder = tmp_path_factory.mktemp("studio")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        pretend(folder / "configs", patch)
        known: dict[str, str] = {}

        def url(**settings: Any) -> str:
            key = repr(settings)
            if key not in known:
                known[key] = stack.enter_context(studio_here(runs=folder / "runs", assets=folder, **settings))
            return known[key]

        yield url


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own; no import outlives the test."""
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    for child in data_jobs._children.values():
        child.kill()
        child.wait(10)


@pytest.fixture
def many(cache: Path) -> ClipStore:
    skipped = [("short.mp4", "has 3 frames, fewer than 4"), ("<img src=x onerror=alert(1)>.mp4", "has no video stream")]
    return stores.make(cache / "many", LENGTHS, skipped=skipped, drops=[Drop(4, 7, "has 3 frames, fewer than 4")])


def visit(page: Any, url: str, store: str = "") -> None:
    page.set_default_timeout(20_000)
    page.goto(f"{url}/?tab=data&store={store}")
    page.wait_for_selector(f"{PAGE} .pt")


def ref(page: Any, name: str) -> Any:
    return page.locator(f'{PAGE} [data-ref="{name}"]')


def wall_is(page: Any, clips: list[int]) -> None:
    """Waits until the wall shows these clips."""
    page.wait_for_function(
        f"""clips => JSON.stringify([...document.querySelectorAll('{PAGE} .pd-wall [data-clip]')].map(
            (tile) => Number(tile.dataset.clip))) === clips""",
        arg=str(clips).replace(" ", ""),
    )


def pyramid_is(page: Any, clip: int, wish: str) -> None:
    page.wait_for_selector(f'{PAGE} .pd-pyramid[data-clip="{clip}"][data-wish="{wish}"]')


def reds(page: Any) -> list[float]:
    """Mean red of each clip on the wall, all read at one moment: it rises with the frame (see stores.clip)."""
    return page.evaluate(
        f"""() => [...document.querySelectorAll('{PAGE} .pd-wall [data-clip] canvas')].map((canvas) => {{
            const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let sum = 0;
            for (let at = 0; at < data.length; at += 4) sum += data[at];
            return sum / (data.length / 4);
        }})"""
    )


def fill(page: Any, **fields: str) -> None:
    """Fills the form in; source and resolution are chosen from lists."""
    for name, value in fields.items():
        field = page.locator(f'{PAGE} [data-field="{name}"]')
        field.select_option(value) if name in ("source", "resolution") else field.fill(value)


def job(page: Any, state: str) -> Any:
    """The one card of an import, once it is in that state."""
    page.locator(f'{PAGE} .pd-job .pt-badge[data-state="{state}"]').wait_for(timeout=40_000)
    return page.locator(f"{PAGE} .pd-job")


# ---- imports ----------------------------------------------------------------------------------------------------


def test_from_an_empty_cache_to_a_store_on_the_screen(page: Any, urls: Callable[..., str], cache: Path,
                                                      tmp_path: Path) -> None:
    for name, number in (("walk/1", 1), ("walk/2", 2), ("run/3", 3)):
        write_strip(tmp_path / "strips" / f"{name}.png", stores.clip(number, 8))
    (tmp_path / "strips" / "run" / "bad.png").write_bytes(b"no picture")
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    assert "No store yet" in ref(page, "no-stores").inner_text()

    page.get_by_role("button", name="Start import").click()
    page.locator('[data-problem="path"]').get_by_text("Write the path of a folder").wait_for()
    assert page.evaluate("document.activeElement.id") == "pd-path", "the hand is led to what is wrong"
    fill(page, path=str(tmp_path / "strips"), frames="none", resolution="16")
    page.locator('[data-problem="frames"]').get_by_text("'none'").wait_for()
    fill(page, frames="4")
    page.wait_for_function("() => document.querySelector('#pd-frames').getAttribute('aria-invalid') === 'false'")
    page.get_by_text("The same from a shell").click()
    assert "data import" in ref(page, "command").inner_text() and "--resolution 16" in ref(page, "command").inner_text()
    page.get_by_role("button", name="Start import").click()

    ref(page, "store").wait_for(timeout=40_000)  # opens by itself
    wall_is(page, [0, 1, 2])
    assert "3 clips" in job(page, "finished").inner_text() and "1 skipped" in job(page, "finished").inner_text()
    assert ref(page, "title").inner_text() == "strips-strips-16"
    assert page.locator('[data-fact="Classes"]').inner_text() == "2"
    assert "bad.png" in ref(page, "skipped").inner_text(), "a single group is open"
    page.get_by_role("button", name="Dismiss").click()
    page.wait_for_function(f"() => !document.querySelector('{PAGE} .pd-job')")
    assert len(ClipStore.open(next(cache.glob("strips-*")))) == 3


def test_a_long_import_is_cancelled_and_goes_on(page: Any, urls: Callable[..., str], cache: Path) -> None:
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    fill(page, source="faces")
    assert page.locator("#pd-resolution").input_value() == "256" and not page.locator("#pd-clips").is_visible()
    fill(page, source="shapes", clips="1600", frames="8", resolution="32")
    assert not page.locator("#pd-path").is_visible() and not page.locator("#pd-fps").is_visible()
    ref(page, "room").get_by_text("Takes 49.8 MiB").wait_for()
    page.get_by_role("button", name="Start import").click()
    card = job(page, "running")
    fill(page, source="toyfaces")
    assert page.locator("#pd-resolution").input_value() == "32", "chosen by hand"
    bar = f"document.querySelector('{PAGE} [role=progressbar]')"
    page.wait_for_function(f"() => Number({bar}.getAttribute('aria-valuenow')) > 0")
    card.get_by_role("button", name="Cancel").click()
    card = job(page, "cancelled")
    assert "Resume goes on from there" in card.inner_text() and not list(cache.glob("shapes-*"))
    reached = int(page.locator(f"{PAGE} [role=progressbar]").get_attribute("aria-valuenow"))
    assert 0 < reached < 100 and "shapes-32" in ref(page, "unfinished").inner_text()

    page.reload()  # nothing of it lives in the page
    card = job(page, "cancelled")
    card.get_by_role("button", name="Resume").click()
    card = job(page, "finished")
    assert page.locator(f'{PAGE} [data-fact="Clips"]').count() == 0, "nobody waited for it in this page: it is offered"
    card.get_by_role("button", name="Open").click()
    ref(page, "store").wait_for()
    assert page.locator(f'{PAGE} [data-fact="Clips"]').inner_text() == "1,600"


def test_an_import_that_fails_says_why(page: Any, urls: Callable[..., str], cache: Path, tmp_path: Path) -> None:
    (tmp_path / "<b>docs").mkdir()
    (tmp_path / "<b>docs" / "letter.txt").write_text("Dear Sir")
    visit(page, urls())
    ref(page, "form-note").get_by_text("Nothing is here yet").wait_for()
    fill(page, path=str(tmp_path / "<b>docs"))
    page.get_by_role("button", name="Start import").click()
    card = job(page, "failed")
    error = card.locator('[role="alert"]').inner_text()
    assert "<b>docs" in error and "Traceback" not in error and card.locator("b").first.inner_text() == "<b>docs"


# ---- the wall ---------------------------------------------------------------------------------------------------


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
    page.wait_for_selector(f'{PAGE} [data-ref="classes"][data-bars="3"]')
    page.locator(f'{PAGE} [data-ref="classes"] .nsewdrag').click(position={"x": 20, "y": 66})  # the middle bar
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


# ---- the pyramid ------------------------------------------------------------------------------------------------


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


# ---- numbers ----------------------------------------------------------------------------------------------------


def test_lengths_sizes_and_what_was_skipped(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    page.wait_for_selector(f'{PAGE} [data-ref="lengths"][data-bars="3"]')
    bars = "document.querySelector('[data-ref=lengths]').data[0]"
    assert page.evaluate(f"() => [{bars}.x, {bars}.y]") == [["4", "8", "12"], [1, 2, 27]]
    assert "4:\u00a030, 8:\u00a029" in ref(page, "usable").inner_text()
    assert ref(page, "sizes").locator("tr").count() == 4
    assert ref(page, "skipped-count").inner_text() == "2 files, 1 part of a file"
    groups = ref(page, "skipped").locator("details")
    assert groups.nth(0).locator("summary").inner_text().split() == ["2", "has", "3", "frames,", "fewer", "than", "4"]
    assert not groups.nth(0).locator("li").first.is_visible()
    groups.nth(0).locator("summary").click()
    entries = groups.nth(0).locator("li").all_inner_texts()
    assert entries == ["walk/0.mp4 frames 4 to 6 has 3 frames, fewer than 4", "short.mp4 has 3 frames, fewer than 4"]
    groups.nth(1).locator("summary").click()
    assert "<img src=x onerror=alert(1)>.mp4" in groups.nth(1).inner_text()
    assert page.locator(f"{PAGE} .pd-skipped img").count() == 0, "people's words are never HTML"


def test_a_store_of_faces_shows_its_contact_sheet(page: Any, urls: Callable[..., str], cache: Path) -> None:
    folder = stores.make(cache / "faces", (4,)).folder
    Image.new("RGB", (192, 96), (200, 30, 30)).save(folder / "contact-sheet.jpg")
    (folder / "report.json").write_text('{"dropped": {"blurred": 7}, "failed": {}, "by_trailer": '
                                        '{"<i>film.mp4": {"clips": 1, "dropped": {"blurred": 7}}}}')
    visit(page, urls())
    page.wait_for_function(f"() => document.querySelector('{PAGE} [data-ref=sheet]').naturalWidth === 192")
    assert ref(page, "faces-note").inner_text() == "1 film, 7 pieces of them left out"
    assert ref(page, "dropped").inner_text().split() == ["blurred", "7"]
    page.get_by_text("Trailer by trailer").click()
    assert "<i>film.mp4" in ref(page, "trailers").inner_text()


# ---- from store to store, and on --------------------------------------------------------------------------------


def test_train_on_this_opens_the_form_with_the_folder(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    page.get_by_role("button", name="Train on this").click()
    folder = page.get_by_label("Folder of clips")
    folder.wait_for()
    page.wait_for_function("path => document.querySelector('#pvs-train [data-part=data]').value === path",
                           arg=str(many.folder))
    assert page.get_by_label("A folder on this machine").is_checked()
    page.wait_for_function("() => document.querySelector('[data-part=command]').textContent.includes('data.path')")
    assert str(many.folder) in page.locator('#pvs-train [data-part="command"]').text_content()


def test_a_damaged_store_and_one_that_goes(page: Any, urls: Callable[..., str], many: ClipStore, cache: Path) -> None:
    broken = stores.make(cache / "broken", (4,)).folder
    (broken / "shard-00000-016.u8").unlink()
    name = os.fsdecode(b"caf\xe9 <b>")
    stores.make(cache / name, (4, 4))
    visit(page, urls(), "many")
    wall_is(page, list(range(24)))
    page.locator('[data-store="broken"]').click()
    ref(page, "broken-why").get_by_text("shard-00000-016.u8 is missing").wait_for()
    assert not ref(page, "store").is_visible()
    page.locator('[data-store="caf? <b>"]').click()
    wall_is(page, [0, 1])
    assert ref(page, "title").inner_text() == "caf? <b>"
    for file in (cache / name).iterdir():
        file.unlink()
    ref(page, "broken-why").get_by_text("not in the folder of stores any more").wait_for()
    assert page.locator(".pt-run[data-store]").count() == 2
    page.locator('[data-store="many"]').click()
    wall_is(page, list(range(24)))


def test_a_read_only_page_offers_no_import(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls(read_only=True))
    wall_is(page, list(range(24)))
    ref(page, "new").click()
    ref(page, "form-note").get_by_text("This studio is read-only").wait_for()
    assert not page.get_by_role("button", name="Start import").is_visible()
    assert page.locator(f"{PAGE} input:visible, {PAGE} form select:visible").count() == 0


def test_it_fits_a_narrow_screen_and_rests_where_motion_is_unwanted(browser: Any, urls: Callable[..., str],
                                                                    many: ClipStore) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    visit(page, urls())
    wall_is(page, list(range(24)))
    page.wait_for_selector(f'{PAGE} [data-ref="lengths"][data-bars="3"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    assert ref(page, "wall-play").inner_text() == ref(page, "play").inner_text() == "Play"
    ref(page, "new").click()
    page.locator("#pd-path").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()
