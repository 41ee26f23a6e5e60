from collections.abc import Iterator
from pathlib import Path

import pytest

from pvswgan.checkpoint import ASSETS
from tests.browser import studio_here


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio without runs, with the models that it comes with, in this process: a test may patch what it reads."""
    folder: Path = tmp_path_factory.mktemp("learn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVSWGAN_CACHE", str(folder / "cache"))
        with studio_here(runs=folder / "runs", assets=ASSETS) as address:
            yield address
