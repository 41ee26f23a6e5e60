"""The recorded failures are trained and kept by one command, which goes on where it was cut off."""

import json
from pathlib import Path

import pytest
import typer
import yaml

from train import failures
from train.run import RunFolder

TINY = {"data": {"source": "toyfaces", "clips": 32}, "growth": {"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 0.2},
        "network": {"latent_dim": 8, "fmap_base": 32, "fmap_max": 8}, "train": {"batch": 8},
        "log": {"tick_kimg": 0.04, "snapshot_kimg": 0.1}, "precision": "float32"}


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "configs"
    folder.mkdir()
    monkeypatch.setattr(failures, "CONFIGS", folder)
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    (folder / "calm.yaml").write_text(yaml.safe_dump(TINY))
    return folder


@pytest.mark.slow
def test_a_training_is_kept_without_its_networks(configs: Path, tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    failures.main(only=None, work=work, out=out, threads=1)
    run, kept = RunFolder(work / "calm"), RunFolder(out / "calm")
    assert {path.name for path in kept.path.iterdir()} == {"config.yaml", "status.json", "stats.jsonl", "samples"}
    assert kept.config() == run.config() and kept.status()["state"] == "finished"
    assert [line["clips"] for line in kept.stats()] == [line["clips"] for line in run.stats() if "event" not in line]
    line, whole = kept.stats()[-1], run.stats()[-1]
    assert line["loss_G"] == pytest.approx(whole["loss_G"], rel=1e-3) and "memory_mb" not in line
    for ours, theirs in zip(kept.samples(), run.samples(), strict=True):
        assert ours.path.name == theirs.path.name
        assert ours.path.read_bytes() == theirs.path.read_bytes()
    born = (work / "calm" / "status.json").stat().st_mtime_ns
    failures.main(only=["calm"], work=work, out=out, threads=1)
    assert (work / "calm" / "status.json").stat().st_mtime_ns == born, "what has ended is not trained again"


def test_only_what_there_is(configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        failures.main(only=["storm"], work=tmp_path, out=tmp_path / "out", threads=1)
    assert "storm; allowed: calm" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_end_of_all_numbers_is_an_end(tmp_path: Path) -> None:
    infinite = "a loss or a gradient is not finite at step 9"
    for state, error, ends in (("finished", None, True), ("failed", infinite, True), ("stopped", None, False),
                               ("failed", "No space left on device", False)):
        (tmp_path / "status.json").write_text(json.dumps({"state": state, "error": error}))
        assert failures.ended(tmp_path) is ends
