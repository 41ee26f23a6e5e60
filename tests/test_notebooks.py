"""The notebooks run as they are, cell by cell: what a teacher opens must not fail."""

import ast
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
            if cell["cell_type"] == "code"]


def run(cell: str, names: dict[str, object]) -> object:
    """As Jupyter does: all of it, and the value of its last expression, which is shown."""
    *body, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        body, last = [*body, last], None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_its_pictures(path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    names: dict[str, object] = {}
    shown = [type(value).__module__.split(".")[0] for cell in cells(path) if (value := run(cell, names)) is not None]
    assert len(shown) >= 3 and set(shown) <= {"PIL", "plotly"}


def test_they_are_lessons_1_and_2_and_use_the_library_alone():
    assert [path.stem for path in NOTEBOOKS] == ["1-slices", "2-growing"]
    for path in NOTEBOOKS:
        for cell in cells(path):
            for node in ast.walk(ast.parse(cell)):
                module = getattr(node, "module", None) or ""
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module]
                assert not any(name.split(".")[0] == "train" or name.startswith("pvswgan.studio") for name in names)
