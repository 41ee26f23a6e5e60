from pathlib import Path

import pytest
import torch

from pvswgan import Model, video
from pvswgan.networks import Generator
from pvswgan.projection import distance, project


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    generator = Generator([(4, 4), (8, 8)], latent_dim=8, fmap_base=32, fmap_max=8)
    return Model(generator, {}, clips=0, stage=1, alpha=0.7, path=Path("untrained"))


def test_a_sample_of_the_model_is_found_again(model: Model) -> None:
    target = model.sample(1, seed=77)
    told: list[tuple[int, int, float]] = []
    found = project(model, target, steps=60, samples=32, callback=lambda *now: told.append(now))
    apart = (model.generate(found.z) - target).abs().mean()
    assert apart < 0.1 * (model.sample(8, seed=1) - target).abs().mean()
    assert found.z.shape == (1, 8) and torch.isclose(found.z.norm(), torch.tensor(8.0).sqrt())

    steps, of, least = zip(*told, strict=True)
    assert steps == tuple(range(1, 63)) and set(of) == {62}  # two batches of samples, then 60 steps
    assert list(least) == sorted(least, reverse=True) and least[-1] == found.distance < 0.2 * least[1]
    assert torch.isclose(distance(model.generate(found.z), target)[0], torch.tensor(found.distance), atol=1e-4)


def test_one_seed_gives_one_latent_and_bytes_will_do(model: Model) -> None:
    clip = video.to_uint8(model.sample(1, seed=5))[0]
    first, second = (project(model, clip, steps=8, samples=16, seed=3) for _ in range(2))
    assert torch.equal(first.z, second.z) and first.distance == second.distance
    assert not torch.equal(first.z, project(model, clip, steps=8, samples=16, seed=4).z)


def test_a_callback_may_end_it(model: Model) -> None:
    told: list[float] = []

    def stop(step: int, steps: int, least: float) -> None:
        told.append(least)
        if step == 5:
            raise error(f"stopped at {step} of {steps}")

    error: type[Exception] = InterruptedError
    with pytest.raises(InterruptedError, match="stopped at 5 of 9"):
        project(model, model.sample(1), steps=8, samples=16, callback=stop)
    error = StopIteration  # what was found so far is wanted
    found = project(model, model.sample(1), steps=8, samples=16, callback=stop)
    assert len(told) == 10 and found.distance == told[-1] and found.z.shape == (1, 8)


def test_impossible_wishes_are_named(model: Model) -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 8, 8\).*allowed: uint8 \(8, 8, 8, 3\)"):
        project(model, torch.zeros(1, 3, 4, 8, 8))
    with pytest.raises(ValueError, match="steps is 2 and samples 3"):
        project(model, model.sample(1), steps=2, samples=3)


def test_the_distance_sees_coarse_and_fine() -> None:
    black, white = -torch.ones(1, 3, 8, 16, 16), torch.ones(1, 3, 8, 16, 16)
    assert distance(black, black).item() < 1e-5 and abs(distance(black, white).item() - 2) < 1e-5
    fine = black.clone()
    fine[..., ::2] = 1  # the same grey from half the size on: half of the pixels are wrong there
    coarse = black.clone()
    coarse[..., :8] = 1
    grey = torch.zeros(1, 3, 8, 16, 16)
    assert distance(fine, grey) < 0.6 * distance(coarse, grey)
