"""The critic and its leash as a student uses it; its gradients held to autograd's, of the library's own losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import ot
import pytest
import torch
from torch import Tensor, nn

from pvswgan.losses import SWGAN, WGANGP, Mix
from tests.browser import pixels
from tests.browser.learn_page import open_lesson, wait_for_link

pytestmark = pytest.mark.browser
LESSON = "#pvs-learn_critic"
N = 20
RESTS = "pvs.learnCritic.path.length === pvs.learn.open.state.steps && !pvs.learnCritic.busy"
IN_THE_PAGE = f"""([leash, strength, steps]) => {{
  const T = pvs.transport, C = pvs.critic, next = pvs.random(5), draw = () => Array.from({{ length: {N} }}, next);
  const real = T.shape("ring", {N}, 3), fake = T.shape("moons", {N}, 4), net = C.start(leash, 2);
  for (let step = 0; step < steps; step++) C.train(net, leash, strength, real, fake, {{ e: draw(), e2: draw() }});
  const parts = (of) => Object.fromEntries(Object.entries(of).map(([name, values]) => [name, [...values]]));
  const mix = {{ e: draw(), e2: draw() }};
  const before = parts(net.parts), found = C.loss(net, leash, strength, real, fake, mix), score = C.score(net, real);
  C.train(net, leash, strength, real, fake, mix);
  return {{ real, fake, mix, before, after: parts(net.parts), loss: found.loss, distance: found.distance,
    gradients: parts(found.gradients), values: [...score.values], slopes: [...score.slopes] }};
}}"""


class Encoder(nn.Module):
    """The page's two hidden layers, of points (N, 2, 1, 1, 1)."""

    def __init__(self, parts: dict[str, Tensor]) -> None:
        super().__init__()
        for name in ("w1", "b1", "w2", "b2"):
            self.register_parameter(name, nn.Parameter(parts[name]))

    def forward(self, x: Tensor, parts: int = 1) -> Tensor:
        h = nn.functional.leaky_relu(nn.functional.linear(x.flatten(1), self.w1.view(32, 2), self.b1), 0.2)
        return nn.functional.leaky_relu(nn.functional.linear(h, self.w2.view(32, 32), self.b2), 0.2)


def of_the_library(leash: str, strength: float, parts: dict[str, Tensor]) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """The loss with the page's head, and the head's parameters by the page's names."""
    if leash == "swgan":
        sliced = SWGAN(32, gp=50 * strength, slope=10 * strength, k=1).double()
        with torch.no_grad():
            sliced.head.slices.copy_(parts["slices"].view(1, 32, 32))
            sliced.head.scale.copy_(parts["scale"].view(1, 32))
            sliced.head.offset.copy_(parts["offset"].view(1, 32))
        return sliced, {name: getattr(sliced.head, name) for name in ("slices", "scale", "offset")}
    loss = WGANGP(32, gp=10 * strength, drift=0)
    loss.head = nn.Linear(32, 1, bias=False).double()
    with torch.no_grad():
        loss.head.weight.copy_(parts["w3"].view(1, 32))
    return loss, {"w3": loss.head.weight}


@pytest.fixture(scope="module")
def sheet(browser: Any, url: str) -> Iterator[Any]:
    page = browser.new_page()
    open_lesson(page, url, "critic")
    yield page
    page.close()


@pytest.mark.parametrize(("leash", "strength"), [("none", 1), ("gp", 1), ("gp", 0.01), ("swgan", 1), ("swgan", 0.1)])
def test_gradients_are_those_of_autograd_of_the_librarys_losses(sheet: Any, leash: str, strength: float) -> None:
    found = sheet.evaluate(IN_THE_PAGE, [leash, strength, 30])
    parts = {name: torch.tensor(values, dtype=torch.float64) for name, values in found["before"].items()}
    critic, (loss, head) = Encoder(parts), of_the_library(leash, strength, parts)
    real, fake = (torch.tensor(found[name], dtype=torch.float64).view(N, 2, 1, 1, 1) for name in ("real", "fake"))
    mix = Mix(*(torch.tensor(found["mix"][name], dtype=torch.float64) for name in ("e", "e2")))
    value, terms = loss.critic_loss(critic, real, fake, mix, gp_factor=0.0 if leash == "none" else 1.0)
    value.backward()
    assert found["loss"] == pytest.approx(value.item(), rel=1e-9, abs=1e-12)
    assert found["distance"] == pytest.approx(terms["distance"].item(), rel=1e-9, abs=1e-12)
    ours = dict(critic.named_parameters()) | head
    assert ours.keys() == found["gradients"].keys()
    for name, parameter in ours.items():
        mine = found["gradients"][name]
        np.testing.assert_allclose(mine, parameter.grad.flatten(), rtol=1e-8, atol=1e-11, err_msg=name)

    x = real.clone().requires_grad_()
    scores = loss.head(critic(x)).flatten() * (-1 if leash == "swgan" else 1)
    (slopes,) = torch.autograd.grad(scores.sum(), x)
    np.testing.assert_allclose(found["values"], scores.detach(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["slopes"], slopes.flatten(), rtol=1e-8, atol=1e-12)


def test_slices_stay_orthogonal_and_a_step_is_the_librarys(sheet: Any) -> None:
    found = sheet.evaluate(IN_THE_PAGE, ["swgan", 1, 0])  # Adam's first step: its memory is this gradient alone
    parts = {name: torch.tensor(values, dtype=torch.float64) for name, values in found["before"].items()}
    critic, (loss, head) = Encoder(parts), of_the_library("swgan", 1, parts)
    for name, parameter in (dict(critic.named_parameters()) | head).items():
        parameter.grad = torch.tensor(found["gradients"][name], dtype=torch.float64).view_as(parameter)
    loss.before_step()
    torch.optim.Adam([*critic.parameters(), *head.values()], lr=0.002, betas=(0.0, 0.99)).step()
    loss.after_step()
    for name, parameter in (dict(critic.named_parameters()) | head).items():
        np.testing.assert_allclose(found["after"][name], parameter.detach().flatten(), rtol=0, atol=1e-9, err_msg=name)
    slices = np.array(sheet.evaluate(IN_THE_PAGE, ["swgan", 1, 30])["after"]["slices"]).reshape(32, 32)
    np.testing.assert_allclose(slices.T @ slices, np.eye(32), atol=1e-12)


@pytest.mark.parametrize("strength", [1, 10])
def test_clipped_weights_are_never_over_their_bound(sheet: Any, strength: float) -> None:
    after = sheet.evaluate(IN_THE_PAGE, ["clip", strength, 30])["after"]
    assert max(abs(weight) for part in after.values() for weight in part) == pytest.approx(0.1 / strength)


def shown(page: Any, name: str) -> float:
    return float(page.locator(f"{LESSON} [data-ref={name}]").inner_text())


def test_without_a_leash_the_number_runs_away_and_with_wgan_gp_it_is_the_distance(page: Any, url: str) -> None:
    open_lesson(page, url, "critic")
    before = pixels(page, f"{LESSON} .pn-critic-heights").astype(int)
    page.locator(LESSON).get_by_role("button", name="no leash", exact=True).click()
    page.wait_for_function(RESTS, timeout=60000)
    page.wait_for_function("pvs.learnCritic.exact !== null")
    clouds = page.evaluate("pvs.learnCritic.clouds()")
    a, b = np.array(clouds["a"]), np.array(clouds["b"])
    exact = ot.emd2([], [], ot.dist(a, b, metric="euclidean"))
    assert shown(page, "exact") == pytest.approx(exact, abs=6e-4)
    assert shown(page, "distance") > 20 * exact and shown(page, "slope") > 20
    assert np.abs(pixels(page, f"{LESSON} .pn-critic-heights").astype(int) - before).mean() > 3

    page.locator(LESSON).get_by_role("button", name="about right", exact=True).click()
    assert page.locator(LESSON).get_by_role("radio", name="WGAN-GP").is_checked()
    page.wait_for_function(RESTS, timeout=60000)
    assert shown(page, "distance") == pytest.approx(exact, rel=0.15)
    assert shown(page, "slope") == pytest.approx(1, abs=0.2)
    wait_for_link(page, {"leash": "gp", "steps": 300})


def test_a_link_shows_the_picture_that_steps_by_hand_came_to(page: Any, url: str) -> None:
    open_lesson(page, url, "critic", {"leash": "swgan", "seed": 4, "steps": 101})
    page.wait_for_function(RESTS, timeout=60000)
    linked = page.evaluate("pvs.learnCritic.path")
    open_lesson(page, url, "critic", {"seed": 4})
    page.locator(LESSON).get_by_role("radio", name="SWGAN", exact=True).focus()
    page.keyboard.press("Space")
    page.locator(LESSON).get_by_role("button", name="100 steps").click()
    page.wait_for_function(f"{RESTS} && pvs.learnCritic.path.length === 100", timeout=60000)
    page.locator(LESSON).get_by_role("button", name="One step").click()
    page.wait_for_function(f"{RESTS} && pvs.learnCritic.path.length === 101")
    assert page.evaluate("pvs.learnCritic.path") == linked and len(linked) == 101


@pytest.mark.parametrize(("leash", "strength", "typed"), [
    ("none", 1, {"loss.name": "wgan-gp", "loss.gp": "0"}), ("gp", 0.1, {"loss.name": "wgan-gp", "loss.gp": "1"}),
    ("swgan", 10, {"loss.name": "swgan", "loss.gp": "500", "loss.slope": "100"})])
def test_a_leash_is_taken_over_in_train(page: Any, url: str, leash: str, strength: float,
                                        typed: dict[str, str]) -> None:
    open_lesson(page, url, "critic", {"leash": leash, "strength": strength})
    page.locator(LESSON).get_by_role("button", name="Take over in Train").click()
    yaml = page.locator("#pvs-train textarea")
    for key, value in typed.items():
        name = key.split(".")[1]
        page.wait_for_function(f"(text) => new RegExp(`^  {name}: {value}(\\.0)?$`, 'm').test(text.value)",
                               arg=yaml.element_handle(), timeout=30000)


def test_clipped_weights_are_not_taken_over(page: Any, url: str) -> None:
    open_lesson(page, url, "critic", {"leash": "clip"})
    assert page.locator(LESSON).get_by_role("button", name="Take over in Train").is_hidden()
    assert page.locator(LESSON).get_by_text("A training has no clipped weights.").is_visible()


def test_it_runs_pauses_and_the_points_follow(page: Any, url: str) -> None:
    open_lesson(page, url, "critic", {"leash": "swgan", "strength": 0.01})
    lesson = page.locator(LESSON)
    lesson.get_by_label("They follow the arrows").check()
    start = page.evaluate("pvs.learnCritic.clouds().b")
    lesson.get_by_role("button", name="Run").click()
    page.wait_for_function("pvs.learnCritic.path.length >= 60", timeout=60000)
    lesson.get_by_role("button", name="Pause").click()
    page.wait_for_function(RESTS)
    done = page.evaluate("pvs.learnCritic.path.length")
    assert done == page.evaluate("pvs.learn.open.state.steps") and done < 600
    first, now = page.evaluate("pvs.learnCritic.sliced")
    assert now < 0.7 * first, "the points go where the reals are"
    assert f"Sliced distance of the clouds: {now:.3f}" in lesson.locator("[data-ref=follows]").inner_text() or now < 0.1
    assert math.dist(start[0], page.evaluate("pvs.learnCritic.clouds().b[0]")) > 0.05
    lesson.get_by_role("button", name="Back to the start").click()
    assert page.evaluate("pvs.learnCritic.clouds().b") == start


@pytest.mark.parametrize(("state", "least", "most"), [
    ({"leash": "swgan", "strength": 0.1}, 0, 0.2), ({"leash": "gp"}, 0.5, 20)])
def test_what_the_page_says_of_the_points_is_so(sheet: Any, state: dict[str, Any], least: float, most: float) -> None:
    """Its figures, of one of the four tries; wide, since the way there is chaotic."""
    sheet.evaluate("(state) => pvs.learn.open.change(state)", {"strength": 1, "follow": True, "steps": 600} | state)
    sheet.wait_for_function(RESTS, timeout=120000)
    first, now = sheet.evaluate("pvs.learnCritic.sliced")
    assert least < now / first < most
