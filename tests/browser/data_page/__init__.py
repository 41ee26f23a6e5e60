"""What the tests of the Data page share: opening it, where things are on it, and waiting until they are there."""

from __future__ import annotations

from typing import Any

PAGE = "#pvs-data"


def visit(page: Any, url: str, store: str = "") -> None:
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
    page.locator(f'{PAGE} .pd-job .pt-badge[data-state="{state}"]').wait_for(timeout=120_000)
    return page.locator(f"{PAGE} .pd-job")
