"""Results for people: how figures are written."""

from __future__ import annotations

import pytest

from pvswgan.metrics.report import spread


@pytest.mark.parametrize(("values", "written"), [
    ([309.0, 192.0, 426.0], "309 ± 117"), ([0.2, 0.21, 0.22], "0.210 ± 0.010"), ([25.0, 30.0, 20.0], "25.0 ± 5.0"),
    ([0.0001, 0.0007, 0.002], "0.00093 ± 0.00097"), ([1.0, 1.0], "1 ± 0"), ([0.12345678], "0.1235"), ([], "-"),
    ([float("nan"), 1.0], "nan ± nan")])
def test_a_mean_is_told_as_far_as_the_seeds_agree(values: list[float], written: str) -> None:
    assert spread(values) == written
