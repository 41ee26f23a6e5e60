"""The pages' style sheets: all of them hold on one document, so a class is of one page (or of views/studio.css)."""

import re
from pathlib import Path

from pvswgan.studio import views

FOLDER = Path(views.__file__).parent
# A run's and a store's lists look alike: data.css and train.css mean the same by these.
TOGETHER = {frozenset(("data", "train"))}


def classes(path: Path) -> set[str]:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return set(re.findall(r"\.(p[a-z]-[a-z][\w-]*)", text))


def test_no_class_is_styled_by_two_pages() -> None:
    pages: dict[str, set[str]] = {}
    for path in FOLDER.glob("*.css"):
        for name in classes(path):
            pages.setdefault(name, set()).add(path.stem.partition("_")[0])
    assert len(pages) > 100
    shared = {name: sorted(of) for name, of in pages.items() if len(of) > 1 and frozenset(of) not in TOGETHER}
    assert not shared, f"they style each other's parts: {shared}"
