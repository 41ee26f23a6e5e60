"""The pages' style sheets and scripts. All of them hold on one document: a class is of one page (or of
views/studio.css), and what a script takes from another is there."""

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


def test_what_a_script_takes_from_another_is_there() -> None:
    """`const { write } = pvs.train;`: a name that is not there is undefined, and an error only when it is called."""
    scripts = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
    text = "\n".join(scripts.values())
    there = {"pvs": set(re.findall(r"\bpvs\.(\w+) = ", text))}
    for name in ("train", "data"):
        (listed,) = re.findall(rf"pvs\.{name} = \{{([^}}]*)\}}", text)
        there[f"pvs.{name}"] = set(re.findall(r"\w+", listed)) | set(re.findall(rf"pvs\.{name}\.(\w+) = ", text))
    taken = [(file, of, name.partition(":")[0].strip()) for file, script in scripts.items()
             for names, of in re.findall(r"\{ ([^{}]*) \} = (pvs(?:\.\w+)?)[;,]", script) for name in names.split(",")]
    assert len(taken) > 50
    assert not [one for one in taken if one[1] in there and one[2] not in there[one[1]]]
