import pytest
import torch

import pvswgan
from tests.train import tiny
from train.loop import Stopped, Trainer
from train.run import RunFolder


def test_a_training_stops_goes_on_and_makes_a_model_for_any_machine(tmp_path, device):
    settings = tiny.config(device=device.type, precision="auto")
    run = RunFolder(tmp_path)

    def stop_half_way(status):
        if status.get("clips", 0) >= 40:
            run.request("stop")

    trainer = Trainer(settings, tmp_path, say=lambda text: None)
    step = trainer._step
    trainer._step = lambda: (step(), stop_half_way({"clips": trainer.engine.clips}))
    with pytest.raises(Stopped):
        trainer.run()
    assert run.state() == "stopped"
    Trainer(settings, tmp_path, resume=True, say=lambda text: None).run()
    assert run.state() == "finished" and run.status()["clips"] == settings.plan().total
    here, there = (pvswgan.load(tmp_path, where).sample(4, seed=3) for where in (device, "cpu"))
    assert here.shape == (4, 3, 8, 8, 8) and here.isfinite().all()
    assert float((here - there).abs().max()) < 2 / 255
    assert torch.equal(there, pvswgan.load(tmp_path).sample(4, seed=3))
