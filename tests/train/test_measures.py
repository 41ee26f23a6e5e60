"""Metrics at snapshots of a training: on a budget, without changing the training."""

import numpy as np
import pytest
import torch

from pvswgan.checkpoint import read_tensors, training_checkpoints
from pvswgan.metrics.evaluate import Result
from tests.train import tiny
from train import measures
from train.config import ConfigError
from train.loop import Stopped, Trainer
from train.measures import Measures
from train.run import RunFolder
from train.schema import Log

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


ONE_STAGE = {"stages": [[4, 4]], "fade_kimg": 0, "stable_kimg": 0.016}   # four steps, a snapshot after each two


def _settings(**log):
    return tiny.config(data={"clips": 80}, log=log | {"metrics_clips": 32, "snapshot_kimg": 0.008}, growth=ONE_STAGE)


def test_a_training_with_metrics_is_the_same_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Measures, "due", lambda self, trained: self.share > 0)  # at every snapshot
    for name, share in (("with", 0.5), ("without", 0.0)):
        settings = _settings(metrics=share)
        settings.growth.stages = [[4, 4], [4, 8]]
        settings.growth.fade_kimg, settings.growth.stable_kimg = 0.016, 0.016
        tiny.train(tmp_path / name, settings)
    (a, _), (b, _) = (read_tensors(training_checkpoints(tmp_path / name)[-1]) for name in ("with", "without"))
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
    lines = [line for line in RunFolder(tmp_path / "with").stats() if line.get("event") == "metrics"]
    files = sorted((tmp_path / "with" / "metrics").iterdir())
    assert len(lines) == len(files) > 1
    assert not (tmp_path / "without" / "metrics").exists()
    for line, file in zip(lines, files, strict=True):
        result = Result.from_json(file.read_text())
        assert result.model["clips"] == line["clips"] and result.protocol["clips"] == 32
        for key, column in (("fid", "value"), ("fid_floor", "floor"), ("fid_ceiling", "ceiling")):
            assert line[key] == result.values["fid"][column]


def test_it_keeps_to_its_share_of_the_time():
    made = Measures(Log(metrics=0.1), None, None, torch.device("cpu"), print, print)
    assert made.due(0)  # what one costs is known only after the first
    made.spent = made._last = 3.0
    assert not made.due(59) and made.due(60)
    assert not Measures(Log(), None, None, torch.device("cpu"), print, print).due(1e9)


def test_too_few_clips_are_said_once_and_the_training_goes_on(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(Measures, "due", lambda self, trained: self.share > 0)
    log = {"metrics": 0.5, "metrics_clips": 32, "snapshot_kimg": 0.008}       # of twelve clips
    settings = tiny.config(log=log, growth=ONE_STAGE)
    Trainer(settings, tmp_path, say=said.append).run()
    assert RunFolder(tmp_path).state() == "finished"
    assert len([text for text in said if "no metrics in this run: " in text and "12 clips" in text]) == 1


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), np.linalg.LinAlgError("no root"),
                                   AssertionError("no device"), FileNotFoundError(2, "gone")])
def test_a_measurement_that_fails_does_not_end_the_training(tmp_path, monkeypatch, error):
    from pvswgan.metrics import evaluate

    def fail(*_, **__):
        raise error

    said = []
    monkeypatch.setattr(evaluate, "evaluate", fail)
    Trainer(_settings(metrics=0.5), tmp_path, say=said.append).run()
    assert RunFolder(tmp_path).state() == "finished"
    assert len([text for text in said if f"no metrics in this run: {error}" in text]) == 1


def test_what_was_spent_is_remembered_by_a_run_that_goes_on(tmp_path):
    trainer = Trainer(_settings(metrics=0.5), tmp_path, say=lambda *_: None)
    trainer.measures.spent, trainer.measures.share = 123.0, 0.0
    trainer.run()
    again = Trainer(_settings(metrics=0.5), tmp_path, say=lambda *_: None, resume=True)
    assert again.measures.spent == 123.0
    again.writer.close()


def test_what_the_last_snapshot_took_is_remembered_too(tmp_path, monkeypatch):
    """It is measured after its checkpoint is written."""
    monkeypatch.setattr(Measures, "due", lambda self, trained: self.share > 0)
    trainer = tiny.train(tmp_path, _settings(metrics=0.5))
    spent, saved = trainer.measures.spent, read_tensors(training_checkpoints(tmp_path)[-1])[1]["measuring"]
    assert 0 < saved < spent
    again = Trainer(_settings(metrics=0.5), tmp_path, say=lambda *_: None, resume=True)
    assert again.engine.clips == trainer.engine.clips and again.measures.spent == pytest.approx(spent, abs=0.01)
    again.writer.close()


def test_a_stop_ends_the_measuring_too(tmp_path, monkeypatch):
    trainer = Trainer(_settings(metrics=0.5), tmp_path, say=lambda *_: None)
    monkeypatch.setattr(Measures, "due", lambda self, trained: self.share > 0)
    tell = Measures._tell

    def asks(self, what, done, total):
        RunFolder(tmp_path).request("stop")
        tell(self, what, done, total)

    monkeypatch.setattr(measures.Measures, "_tell", asks)
    with pytest.raises(Stopped):
        trainer.run()
    assert RunFolder(tmp_path).state() == "stopped"
    assert not (tmp_path / "metrics").exists()


def test_impossible_shares_are_refused():
    with pytest.raises(ConfigError, match=r"log\.metrics.*0\.7"):
        tiny.config(log={"metrics": 0.7})
