"""The other systems' configurations in the form and on Compare."""

import pytest

from pvswgan import baselines
from pvswgan.studio import compare_pair, form_fields, train_form
from train import config as schema

OTHERS = ("mocogan", "tgan", "videogan", "videogan-one-stream")


@pytest.mark.parametrize("name", OTHERS)
def test_the_preview_counts_the_systems_own_networks(name: str) -> None:
    config = train_form.load(train_form.find(name))
    [stage] = train_form.preview(config)["stages"]
    size = config.plan().sizes[0]
    generator, critic = baselines.make_generator(name, size), baselines.make_critic(name, size)
    assert stage["parameters"] == {"generator": sum(w.numel() for w in generator.parameters()),
                                   "critic": sum(w.numel() for w in critic.parameters())}
    assert stage["channels"] == 64  # published for 64 pixels: the last level


@pytest.mark.parametrize("name", OTHERS)
def test_a_pair_of_losses_is_not_made_of_them(name: str) -> None:
    with pytest.raises(train_form.FormError, match="a pair is one of SWGAN"):
        compare_pair.plan(compare_pair.Pair(config=name))


def test_the_form_knows_every_loss_of_the_schema() -> None:
    for name in schema.LOSSES:
        assert form_fields.defaults(name)["loss.name"] == name
