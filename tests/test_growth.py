import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvswgan.growth import ORDERS, PAPER_FRAMES, GrowthPlan, PlanError, Stage, check_sizes, make_plan, ordered_sizes

POWERS = [4, 8, 16, 32, 64, 128, 256]


def test_the_papers_order_is_the_released_table():
    assert ordered_sizes("paper", 256, 32) == [(t, r) for r, t in PAPER_FRAMES.items()]


@pytest.mark.parametrize("order, sizes", [
    ("joint", [(4, 4), (8, 8), (16, 16), (16, 32)]),
    ("space-first", [(4, 4), (4, 8), (4, 16), (4, 32), (8, 32), (16, 32)]),
    ("time-first", [(4, 4), (8, 4), (16, 4), (16, 8), (16, 16), (16, 32)]),
    ("paper", [(4, 4), (8, 8), (8, 16), (16, 32)]),
])
def test_orders(order, sizes):
    assert ordered_sizes(order, 32, 16) == sizes


@given(st.sampled_from(ORDERS), st.sampled_from(POWERS), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_every_order_reaches_its_size_by_allowed_steps(order, resolution, frames):
    sizes = ordered_sizes(order, resolution, frames)
    check_sizes(sizes)
    assert sizes[-1] == (frames, resolution)


@given(st.integers(0, 5000), st.integers(1, 5000), st.integers(0, 30000))
def test_position_is_exact(fade, stable, clips):
    plan = GrowthPlan((Stage(4, 4, 0, stable), Stage(8, 8, fade, stable), Stage(8, 16, fade, stable)))
    at = plan.at(clips)
    if clips >= plan.total:
        assert (at.stage, at.alpha, at.phase) == (2, 1.0, "done")
        return
    assert plan.starts[at.stage] <= clips < plan.starts[at.stage + 1]
    into = clips - plan.starts[at.stage]
    fading = at.stage > 0 and into < fade
    assert at.phase == ("fade" if fading else "stable")
    assert at.alpha == (into / fade if fading else 1.0)
    edge = plan.next_edge(clips)
    assert clips < edge and plan.at(edge - 1).phase == at.phase and plan.at(edge - 1).stage == at.stage
    assert (plan.at(edge).stage, plan.at(edge).phase) != (at.stage, at.phase)


@pytest.mark.parametrize("stages, words", [
    ([[4, 4], [4, 16]], r"stage 1 \(4 frames, 16 pixels\) after 4 frames, 4 pixels: pixels may stay or double"),
    ([[4, 4], [16, 8]], "frames may stay or double, allowed: 4 or 8"),
    ([[4, 4], [6, 8]], "frames must be a power of two"),
    ([[8, 4], [4, 8]], "time must not shrink"),
    ([[4, 8], [4, 4]], "space must not shrink"),
    ([[4, 4], [8, 8], [8, 8]], "stage 2 .* nothing grows"),
    ([[4, 2]], "at least 4"),
    ([], "at least one stage"),
    ([[4, 4, 4]], r"growth.stages\[0\]"),
])
def test_a_step_that_does_not_follow_is_named(stages, words):
    with pytest.raises(PlanError, match=words):
        make_plan(stages=stages)


@pytest.mark.parametrize("settings, words", [
    ({"order": "sideways"}, "growth.order is 'sideways'; allowed: paper, joint"),
    ({"resolution": 48}, "growth.resolution is 48"),
    ({"frames": 12}, "growth.frames is 12"),
    ({"order": "paper", "resolution": 512}, "growth.resolution is 512"),
    ({"fade_kimg": [1, 2]}, "growth.fade_kimg lists 2 values, but the plan has 4 stages"),
    ({"fade_kimg": -1}, "growth.fade_kimg is -1"),
    ({"total_kimg": 1}, "growth.total_kimg is 1, but the last stage"),
    ({"fade_kimg": 0, "stable_kimg": 0}, "the plan is empty"),
])
def test_impossible_plans_are_refused(settings, words):
    with pytest.raises(PlanError, match=words):
        make_plan(**{"resolution": 32, "frames": 16} | settings)


def test_total_lengthens_the_last_stage():
    plan = make_plan(total_kimg=12000)
    assert plan.total == 12_000_000 and plan.stages[-1].stable == 4_800_000
    assert plan.stages[-2].stable == 600_000


def test_stages_without_clips_are_passed_over():
    plan = make_plan(resolution=16, frames=8, fade_kimg=0, stable_kimg=[0, 0, 5])
    assert plan.at(0).stage == 2 and plan.at(0).alpha == 1.0


def test_the_table_has_a_line_for_each_stage():
    plan = make_plan(resolution=32, frames=16)
    lines = plan.table().splitlines()
    assert len(lines) == 1 + len(plan.stages)
    assert lines[2].split() == ["1", "8", "8x8", "space,", "time", "600", "600", "600", "1800"]
