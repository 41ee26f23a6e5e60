"""What goes from the Data page and comes back, in a real Chromium: the trash, unfinished builds, stores elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pvswgan.data import ClipStore
from tests.browser.data_page import PAGE, ref, visit, wall_is
from tests.studio import stores
from tests.studio.test_data_trash import half_done, reading

pytestmark = pytest.mark.browser


def ask(page: Any, place: str = "delete") -> Any:
    """Presses Delete, or what else asks once; the question that is asked then."""
    ref(page, place).click()
    return page.locator(f"{PAGE} .pd-ask")


def listed(page: Any, names: list[str]) -> None:
    """Waits until the list of stores has these."""
    page.wait_for_function(
        f"""names => [...document.querySelectorAll('{PAGE} [data-store]')].map((one) => one.dataset.store).sort()
            .join() === names""", arg=",".join(sorted(names)))


def test_a_store_is_deleted_and_undone(page: Any, urls: Callable[..., str], many: ClipStore, cache: Path) -> None:
    stores.make(cache / "other", (4, 4))
    visit(page, urls(), "many")
    wall_is(page, list(range(24)))
    question = ask(page)
    assert "Move this store (338.6 KiB) to the trash?" in question.inner_text()
    assert page.evaluate("document.activeElement.textContent") == "Keep", "a hasty Enter does nothing"
    page.keyboard.press("Escape")
    assert question.count() == 0 and page.evaluate("document.activeElement.dataset.ref") == "delete"
    assert many.folder.is_dir()
    ask(page).get_by_role("button", name="Move to the trash").click()
    wall_is(page, [0, 1])  # the other one
    listed(page, ["other"])
    assert not many.folder.exists() and ref(page, "undo-text").inner_text() == "many is in the trash."
    assert page.evaluate("document.activeElement.dataset.ref") == "undo"
    page.keyboard.press("Enter")
    wall_is(page, list(range(24)))
    listed(page, ["many", "other"])
    assert ClipStore.open(many.folder) and not ref(page, "undo-panel").is_visible()
    ref(page, "trash-panel").wait_for(state="hidden")


def test_the_trash_is_put_back_from_and_emptied(page: Any, urls: Callable[..., str], many: ClipStore,
                                                cache: Path) -> None:
    half_done(cache, "holiday-64-0123456789abcdef")
    visit(page, urls())
    wall_is(page, list(range(24)))
    line = ref(page, "unfinished").locator("li")
    assert line.inner_text().split("\n") == ["holiday-64", "Delete", "5 bytes"]
    line.get_by_role("button").click()
    line.get_by_role("button", name="Move to the trash").click()
    ref(page, "trash").get_by_text("5 bytes, unfinished").wait_for()
    assert not ref(page, "unfinished-panel").is_visible() and ref(page, "store").is_visible()
    ask(page).get_by_role("button", name="Move to the trash").click()
    ref(page, "form").wait_for()  # there is no other store
    page.reload()  # nothing of it lives in the page
    ref(page, "trash").locator("li").nth(1).wait_for()
    ref(page, "trash").get_by_role("button", name="Put back: many").click()
    wall_is(page, list(range(24)))
    question = ask(page, "empty")
    assert "Delete 1 thing for good? That frees 5 bytes" in question.inner_text()
    question.get_by_role("button", name="Delete for good").click()
    ref(page, "undo-text").get_by_text("The trash is empty: 5 bytes are free again.").wait_for()
    ref(page, "trash-panel").wait_for(state="hidden")
    assert not ref(page, "undo").is_visible() and not list((cache / ".trash").iterdir()) and many.folder.is_dir()


def test_a_damaged_store_is_deleted(page: Any, urls: Callable[..., str], many: ClipStore, cache: Path) -> None:
    (stores.make(cache / "broken", (4,)).folder / "shard-00000-016.u8").unlink()
    visit(page, urls(), "broken")
    ref(page, "broken-why").get_by_text("is missing").wait_for()
    ask(page, "broken-delete").get_by_role("button", name="Move to the trash").click()
    wall_is(page, list(range(24)))
    assert not (cache / "broken").exists()


def test_a_store_in_use_stays_and_a_sentence_says_why(page: Any, urls: Callable[..., str], many: ClipStore) -> None:
    visit(page, urls())
    wall_is(page, list(range(24)))
    with reading(many.folder / "shard-00000-016.u8") as pid:
        question = ask(page)
        question.get_by_role("button", name="Move to the trash").click()
        question.get_by_role("alert").get_by_text(f"many is being read by process {pid}").wait_for()
        assert question.get_by_role("button").all_inner_texts() == ["OK"]
        question.get_by_role("button").click()
    assert question.count() == 0 and many.folder.is_dir() and ref(page, "store").is_visible()


def test_a_store_elsewhere_is_opened_by_its_path(page: Any, urls: Callable[..., str], many: ClipStore,
                                                 tmp_path: Path) -> None:
    there = stores.make(tmp_path / "elsewhere" / "<b>mine", (4, 4, 4)).folder
    visit(page, urls())
    wall_is(page, list(range(24)))
    path = page.get_by_label("Open a store elsewhere", exact=True)
    path.fill(str(tmp_path))
    path.press("Enter")
    ref(page, "elsewhere-problem").get_by_text(f"{tmp_path} is no clip store").wait_for()
    assert path.get_attribute("aria-invalid") == "true"
    path.fill(f" {there} ")
    path.press("Enter")
    wall_is(page, [0, 1, 2])
    assert ref(page, "title").inner_text() == "<b>mine" and ref(page, "folder").inner_text() == str(there)
    assert ref(page, "elsewhere-problem").inner_text() == path.input_value() == ""
    assert not ref(page, "delete").is_visible(), "nothing is deleted there"
    listed(page, ["many", str(there)])
    page.reload()
    wall_is(page, [0, 1, 2])
    ref(page, "close").click()
    wall_is(page, list(range(24)))
    listed(page, ["many"])
    assert ClipStore.open(there) and ref(page, "delete").is_visible()


def test_a_read_only_page_deletes_and_opens_nothing(page: Any, urls: Callable[..., str], many: ClipStore,
                                                    cache: Path) -> None:
    half_done(cache)
    visit(page, urls(read_only=True))
    wall_is(page, list(range(24)))
    ref(page, "unfinished").get_by_text("half").wait_for()
    assert page.locator(f"{PAGE} button:visible", has_text="Delete").count() == 0
    assert not ref(page, "elsewhere").is_visible()


def test_questions_fit_a_narrow_screen(browser: Any, urls: Callable[..., str], many: ClipStore, cache: Path) -> None:
    half_done(cache, "a-name-that-goes-on-and-on-" * 5)
    context = browser.new_context(viewport={"width": 420, "height": 900})
    page = context.new_page()
    visit(page, urls())
    wall_is(page, list(range(24)))
    question = ask(page)
    assert question.is_visible() and page.evaluate("document.documentElement.scrollWidth") <= 420
    question.get_by_role("button", name="Move to the trash").click()
    ref(page, "undo").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()
