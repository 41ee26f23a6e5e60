"""The exact distance that the slice theatre asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pvswgan.studio import Settings
from pvswgan.studio.learn_slices import MOST, wasserstein
from pvswgan.studio.server import our_routes


def test_a_shift_costs_its_length_and_a_split_its_mean() -> None:
    assert wasserstein([(0, 0), (1, 0)], [(0, 2), (1, 2)]) == pytest.approx(2)
    assert wasserstein([(0, 0)], [(3, 4), (0, 1)]) == pytest.approx(3)
    assert wasserstein([(0.5, 0.5)] * 3, [(0.5, 0.5)]) == 0


@pytest.mark.parametrize("clouds", [
    {"a": [], "b": [[0, 0]]}, {"a": [[0, 0]] * (MOST + 1), "b": [[0, 0]]}, {"a": [[0]], "b": [[0, 0]]},
    {"a": [[0, 1e9]], "b": [[0, 0]]}, {"a": [["x", 0]], "b": [[0, 0]]}, {"a": [[0, 0]]}])
def test_what_is_no_cloud_is_refused(tmp_path: Path, clouds: dict[str, Any]) -> None:
    client = TestClient(our_routes(Settings(runs=tmp_path)), base_url="http://127.0.0.1")
    assert client.post("/api/learn/exact", json=clouds).status_code == 422
    good = client.post("/api/learn/exact", json={"a": [[0, 0]], "b": [[0.3, 0.4]]})
    assert good.json() == {"distance": pytest.approx(0.5)}
