"""What the lesson on growing shows is drawn from two runs as they were."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pvswgan import checkpoint
from pvswgan.checkpoint import CheckpointError
from pvswgan.latents import sample_latents
from pvswgan.video import read, split_sheet, to_uint8
from train import recorded
from train.config import load
from train.loop import Trainer
from train.recorded import CLIPS, LATENTS, TIMES, Run

CONFIG = {"data": {"source": "toyfaces", "clips": 256}, "growth": {"stages": [[4, 4], [4, 8]], "fade_kimg": 0.064,
          "stable_kimg": 0.064}, "network": {"latent_dim": 16, "fmap_base": 64, "fmap_max": 8},
          "train": {"batch": 16}, "log": {"tick_kimg": 0.016, "snapshot_kimg": 0.032, "keep": 100},
          "precision": "float32"}


def train(folder: Path, name: str, **changes: object) -> Path:
    config, run = folder / f"{name}.yaml", folder / name
    config.write_text(yaml.safe_dump(CONFIG | changes))
    Trainer(load(config), run, say=lambda _: None).run()
    return run


@pytest.mark.slow
def test_two_runs_are_recorded(tmp_path, one_thread, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    growing = train(tmp_path, "growing")
    fixed = train(tmp_path, "fixed", growth={"stages": [[4, 4], [4, 8]], "fade_kimg": 0, "stable_kimg": [0, 0.16]})
    monkeypatch.setattr(recorded, "PAPER", growing / "config.yaml")
    out = tmp_path / "recorded"
    recorded.main(growing=growing, fixed=fixed, out=out)
    found = json.loads((out / "recorded.json").read_text())

    [fade] = found["fades"]
    model = checkpoint.load(out / fade["file"])
    assert fade["alpha"] == 0.5 and fade["clips"] == 96 and model.stage == 1
    assert [stage["clips"] for stage in found["stages"]] == [64, 192]
    for name, run in (("growing", growing), ("fixed", fixed)):
        moments = found[name]["moments"]
        assert len(moments) == TIMES and [m["seconds"] for m in moments] == sorted(m["seconds"] for m in moments)
        last = moments[-1]
        whole = checkpoint.load(run / "checkpoints" / f"{last['clips']:09d}-network.safetensors")
        sheet, _ = read(out / last["file"])
        expected = to_uint8(whole.generate(sample_latents(LATENTS, 16, 0)))
        assert np.array_equal(split_sheet(sheet[0], last["frames"]), expected)
    seen = found["critic"]
    points = np.array([seen["real"], seen["fake"]])
    assert points.shape == (2, CLIPS, 2) and np.abs(points).max() == pytest.approx(1, abs=1e-3)
    assert np.abs(points.mean((0, 1))).max() < 0.01 and seen["distances"] == sorted(seen["distances"], reverse=True)
    gaps = np.abs(np.sort(points[0], 0) - np.sort(points[1], 0)).mean(0)
    assert gaps[0] / gaps[1] == pytest.approx(seen["distances"][0] / seen["distances"][1], rel=0.05)
    first, second = found["costs"]["recorded"]
    assert first["seconds"] > 0 and second["flops"] > first["flops"] and second["memory"] > first["memory"]
    whole = sum(p.numel() for p in model.generator.parameters())
    assert found["growing"]["parameters"] == found["fixed"]["parameters"] == whole

    with pytest.raises(CheckpointError, match="has no network from the fade of stage 1"):
        Run(fixed).fade(1, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_a_folder_without_networks_is_named(tmp_path):
    run = tmp_path / "empty"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.raises(CheckpointError, match="empty has no network"):
        Run(run)
