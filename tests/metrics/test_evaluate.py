import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pvswgan import checkpoint
from pvswgan.data.format import DataError
from pvswgan.data.sources import open_store
from pvswgan.latents import sample_latents
from pvswgan.metrics import against, features, report, sets
from pvswgan.metrics import evaluate as ev
from pvswgan.metrics.against import Against
from pvswgan.metrics.evaluate import Result, evaluate, label, wanting
from pvswgan.metrics.extractors import make
from pvswgan.metrics.sets import as_bytes, noise, samples
from pvswgan.video import to_uint8
from tests.metrics.conftest import write_network
from tests.shell import command

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def test_the_floor_is_better_than_an_untrained_model(result):
    assert {"fid", "kid", "is", "precision", "recall", "swd", "swd 8x16x16", "swd 8x8x8", "diversity", "ms_ssim",
            "motion", "motion_distance", "direction_distance", "frozen", "flicker", "near_share",
            "near_ratio"} <= result.values.keys()
    for name, columns in result.values.items():
        assert set(columns) == {"value", "floor", "ceiling"}, name
        if ev.better(name) == "lower":
            assert columns["floor"] < columns["value"], name
            if name != "direction_distance":  # noise goes everywhere alike, and so do heads that turn and nod
                assert columns["floor"] < columns["ceiling"], name
    # Of other halves of the training clips than the bar's: not so by construction.
    assert result.values["near_share"]["floor"] == pytest.approx(0.05, abs=0.08)
    assert result.values["near_ratio"]["floor"] == pytest.approx(1, abs=0.2)
    assert len(result.nearest) == len(result.left_out) == 16


def test_it_can_be_repeated_without_its_cache_and_with_it(model, store, result, tmp_path):
    for kept in (0, 4):
        assert len(list(tmp_path.iterdir())) == kept
        again = evaluate(model, store, clips=48, cache=tmp_path)
        assert again.values == result.values
        assert (again.key, again.nearest) == (result.key, result.nearest)
    other = evaluate(model, store, clips=48, seed=1, cache=tmp_path)
    assert other.key != result.key
    assert other.values["fid"] != result.values["fid"]


def test_real_clips_and_noise_are_looked_at_once(model, store, result, cache, monkeypatch):
    """With the cache of an earlier measurement the samples alone are."""
    looked_at = []

    def describe(batches, count, *more):
        looked_at.append(count)
        return sets.describe(batches, count, *more)

    monkeypatch.setattr(ev, "describe", describe)
    monkeypatch.setattr(ev, "library", lambda *_: pytest.fail("the training clips are looked at again"))
    assert evaluate(model, store, clips=48, cache=cache).values == result.values
    assert looked_at == [48]


def test_a_broken_file_of_the_cache_is_made_again(model, store, result, cache):
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert evaluate(model, store, clips=48, cache=cache).values == result.values


@pytest.mark.parametrize("turned", [False, True])
def test_a_training_that_copies_is_found_out(model, store, result, cache, turned):
    """Whichever training clips it repeats, turned left to right or not: near_share goes to 1, and the clip is named."""

    class Copies:
        def __getattr__(self, name):
            return getattr(model, name)

        def generate(self, z):
            real = Against.of(model, store, 0)
            clips = real.training.read(real.searched, slice(40, 40 + len(z)))   # some, across the measured halves
            real.close()
            return clips.flip(4) if turned else clips

    found = evaluate(Copies(), store, clips=48, cache=cache)
    assert found.values["near_share"]["value"] > 0.9
    assert found.values["near_ratio"]["value"] < 0.1
    assert found.nearest[:4] == [40, 41, 42, 43]


@pytest.mark.parametrize("most", [400, 150])
def test_a_copy_of_another_moment_of_a_longer_clip_is_found(model, cache, tmp_path, monkeypatch, most):
    """Clips have 24 frames, the network's 8, every second one: ten windows each, all searched, or 150 of them."""
    long = open_store("toyfaces", None, 16, frames=24, clips=40, cache=tmp_path)
    monkeypatch.setattr(against, "SEARCHED", most)
    monkeypatch.setitem(model.config["data"], "stride", 2)
    real = Against.of(model, long, 0)
    searched = real.searched
    assert len(searched.clip) == min(most, 40 * 10)
    assert len(set(searched.clip[:40].tolist())) == 40, "at first each once"
    assert most == 150 or len(set(zip(searched.clip.tolist(), searched.start.tolist(), strict=True))) == 400, "all"

    class Copies:
        def __getattr__(self, name):
            return getattr(model, name)

        def generate(self, z):
            return real.training.read(searched, slice(60, 60 + len(z)))

    found = evaluate(Copies(), long, clips=20, cache=cache)
    real.close()
    assert found.protocol["searched"] == len(searched.clip)
    assert found.values["near_share"]["value"] == 1 and found.values["near_ratio"]["value"] < 0.1
    ours = [tuple(column[place] for column in searched) for place in found.nearest]
    assert ours == [tuple(column[60 + i] for column in searched) for i in range(16)]
    pairs = report.nearest_pairs(found, model, long, 16)[32:]
    assert not any(np.array_equal(a, b) for a, b in zip(pairs[::2], pairs[1::2], strict=True)), "of other clips"


def test_of_more_clips_than_are_searched_the_searched_ones_make_the_floor(model, store, tmp_path, monkeypatch):
    monkeypatch.setattr(against, "SEARCHED", 40)
    found = evaluate(model, store, clips=48, cache=tmp_path)
    assert (found.protocol["searched"], found.protocol["clips"]) == (40, 48)
    assert found.values["near_ratio"]["floor"] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("half", [48, 20])
def test_tgans_inception_score_is_of_all_samples_however_few_the_real_clips(model, store, tmp_path, monkeypatch, half):
    """Of 20 clips nothing else is said of features."""
    monkeypatch.setattr(type(store), "usable", lambda self, *_: np.arange(2 * half))
    eyes = make("clipnet")
    alone = replace(eyes, name="c3d", protocol=eyes.protocol | {"name": "c3d", "splits": 1}, scores_all=True)
    found = evaluate(model, store, clips=300, extractor=alone, cache=tmp_path)
    assert (found.protocol["clips"], found.protocol["scored"]) == (half, 300)
    real = Against.of(model, store, 0)
    clips = {"value": model.generate(sample_latents(300, model.latent_dim, 0)),
             "floor": torch.cat([*real.reals.batches(0, 2 * half)]),
             "ceiling": torch.cat([*noise((3, 8, 16, 16), half, 0), *noise((3, 8, 16, 16), 300 - half, 1)])}
    real.close()
    for column, these in clips.items():
        logits = eyes.describe(as_bytes(these))[1]
        assert found.values["is"][column] == pytest.approx(features.inception_score(logits, 1)[0], rel=1e-4), column
    assert ("fid" in found.values) == (half == 48)
    said = report.sentence(found)
    assert "(the Inception Score is of 300 samples, and of as much noise)" in said
    assert said.endswith("It is not TGAN's Inception Score: 300 samples, not 10,000; 8 frames, not 16; 6 classes, not "
                         "UCF-101's.")
    assert evaluate(model, store, clips=300, extractor=eyes, cache=tmp_path).protocol["scored"] == half
    few = evaluate(model, store, clips=half // 2 + 12, extractor=alone, cache=tmp_path)  # all columns or none
    assert all(set(columns) == {"value", "floor", "ceiling"} for columns in few.values.values())


def test_fvd_sees_real_clips_as_they_lie_in_the_store(model, store, tmp_path):
    """The training turns half of them; StyleGAN-V's FVD turns none. A copy that is turned is a copy all the same."""
    assert model.config["data"]["mirror"]
    eyes = make("clipnet")
    i3d = replace(eyes, name="i3d", protocol=eyes.protocol | {"name": "i3d"}, mirrors=False)
    found = evaluate(model, store, clips=40, extractor=i3d, cache=tmp_path)
    assert found.protocol["reals"]["mirror"] is False
    plain = Against.of(model, store, 0, mirror=False)
    assert not plain.reals.sampler.draw(0, 40).mirror.any() and not plain.others.sampler.draw(40, 40).mirror.any()
    seen = {what: eyes.describe(as_bytes(torch.cat([*clips])))[0] for what, clips in (
        ("real", plain.reals.batches(0, 40)), ("made", samples(model, sample_latents(40, model.latent_dim, 0))))}
    plain.close()
    assert found.values["fid"]["value"] == pytest.approx(features.fid(seen["made"], seen["real"]), rel=1e-4)
    assert report.nearest_pairs(found, model, store, 4).shape == (16, 8, 16, 16, 3)
    assert label("fid", found.protocol) == "Fréchet distance by I3D" and label("fid") == "FID"
    assert "It is not StyleGAN-V's FVD: 40 clips, not 2,048; 8 frames, not 16." in report.sentence(found)
    whole = {"extractor": {"name": "i3d"}, "clips": 2048, "frames": 16}
    assert label("fid", whole) == "FVD" and wanting(whole) == ("StyleGAN-V's FVD", [])
    assert wanting(whole | {"reals": {"reverse": True}})[1] == ["half of the real clips run backwards"]


def test_what_was_measured_before_a_stop_is_kept(model, store, cache, tmp_path, monkeypatch):
    before, measured = ev.evaluate, []

    def measure(*given, **how):
        if measured:
            raise KeyboardInterrupt                          # Ctrl-C
        measured.append(how["seed"])
        return before(*given, **how, cache=cache)

    monkeypatch.setattr(ev, "evaluate", measure)
    network = write_network(tmp_path / "one.safetensors")
    ended = command("pvswgan", "evaluate", network, "--data", store.folder, "--clips", 40, "--seeds", 3,
                    "--out", tmp_path / "of.json")
    assert ended.returncode == 130 and "stopped; measured with 1 of 3 seeds" in ended.stderr
    assert ended.stderr.rstrip().endswith("of-seed0.json") and (tmp_path / "of-seed0.json").is_file()


def test_pairs_are_those_that_were_found(model, store, result):
    pairs = report.nearest_pairs(result, model, store, 4)
    assert pairs.shape == (16, 8, 16, 16, 3)
    real = Against.of(model, store, 0)
    own = to_uint8(real.training.read(real.searched, slice(4)))
    near = [to_uint8(real.training.read(real.searched, slice(place, place + 1)))[0] for place in result.nearest[:4]]
    real.close()
    assert np.array_equal(pairs[8::2], own) and np.array_equal(pairs[1:8:2], np.stack(near))
    assert not any(np.array_equal(a, b) for a, b in zip(pairs[8::2], pairs[9::2], strict=True)), "itself is left out"
    old = replace(result, protocol=result.protocol | {"measures": 1})
    with pytest.raises(DataError, match="earlier version"):
        report.nearest_pairs(old, model, store)


def test_which_clips_are_used_is_part_of_the_protocol(model, store, result, cache, monkeypatch):
    """Two folds may have the same split's name over the same clips."""
    monkeypatch.setattr(type(store), "usable", lambda self, *_: np.arange(1, 96))
    other = evaluate(model, store, clips=40, cache=cache)
    monkeypatch.setattr(type(store), "usable", lambda self, *_: np.arange(95))
    again = evaluate(model, store, clips=40, cache=cache)
    assert report.differences(other, again)[0].startswith("reals.chosen")
    assert other.key != again.key and other.values["swd"]["floor"] != again.values["swd"]["floor"]


def test_few_clips_are_measured_by_what_can_be_said_of_few(model, store, result, cache):
    """As of sixty clips of people, half on each side: no FID, but SWD, motion and memorisation."""
    few = evaluate(model, store, clips=30, cache=cache)
    assert not {"fid", "kid", "is", "precision", "recall"} & few.values.keys()
    assert {"swd", "motion_distance", "near_share", "diversity"} <= few.values.keys()


def test_progress_is_told_and_ends_it(model, store, tmp_path):
    told = []

    def tell(what, done, total):
        told.append((what, done, total))
        if what == "samples":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, store, clips=40, tell=tell, cache=tmp_path)
    assert told == [("real clips", 32, 256), ("real clips", 40, 256), ("other real clips", 72, 256),
                    ("other real clips", 80, 256), ("samples", 112, 256)]   # and 96 training clips to search


def test_a_network_that_its_training_clears_away_meanwhile_is_measured(store, cache, tmp_path):
    file = write_network(tmp_path / "net.safetensors")
    sha256 = ev.file_hash(file)
    again = evaluate(checkpoint.load(file), store, clips=48, cache=cache, tell=lambda *_: file.unlink(missing_ok=True))
    assert again.model["sha256"] == sha256 and not file.exists()


def test_too_few_clips_and_other_sizes_are_named(model, store, tmp_path):
    few = open_store("toyfaces", None, 16, frames=8, clips=30, cache=tmp_path)
    with pytest.raises(DataError, match="30 clips that fit.*32 in all at least"):
        evaluate(model, few, cache=tmp_path)
    small = open_store("toyfaces", None, 8, frames=8, clips=80, cache=tmp_path)
    with pytest.raises(DataError, match="8 pixels at most.*16"):
        evaluate(model, small, cache=tmp_path)


def test_what_a_level_holds_is_said():
    levels = [f"swd {t}x{r}x{r}" for r in (32, 16, 8) for t in (16, 8, 4)]
    said = {name: ev.about_level(name, ["fid", "swd", *levels]) for name in ["fid", "swd", *levels]}
    assert said["fid"] == said["swd"] == ""
    assert said["swd 16x32x32"] == "quick change of fine detail" and said["swd 4x32x32"] == "slow change of fine detail"
    assert said["swd 16x8x8"] == "quick change of large areas" and said["swd 4x8x8"] == "the clips as a whole"
    assert said["swd 8x16x16"] == "slower change of coarser detail"
    assert ev.about_level("swd 4x16x16", ["swd 4x16x16", "swd 4x8x8"]) == "fine detail", "nothing of time to tell apart"
    assert ev.about_level("swd 8x8x8", ["swd 8x8x8", "swd 4x8x8"]) == "quick change", "nothing of space"
    assert ev.about_level("swd 4x8x8", ["swd 4x8x8"]) == ""
    assert ev.about_level("swd 8x16x16", ["swd 16x32x32", "swd 8x16x16", "swd 4x8x8"]) == "", "of an earlier version"


def test_a_result_is_kept_whole_and_a_changed_protocol_is_noticed(result, tmp_path):
    path = ev.save(result, tmp_path / "metrics" / "a.json")
    assert Result.from_json(path.read_text()) == result
    changed = json.loads(path.read_text())
    changed["protocol"]["clips"] = 2048
    with pytest.raises(ValueError, match="not that of its key"):
        Result.from_json(json.dumps(changed))
    for text in ("", "[]", "{}", '{"a": 1}'):
        with pytest.raises(ValueError, match="not a result"):
            Result.from_json(text)


def test_results_of_two_protocols_are_never_in_one_column(result):
    protocol = json.loads(json.dumps(result.protocol))
    own = protocol["extractor"]["weights"]
    protocol["clips"], protocol["extractor"]["weights"] = 64, "0123"
    other = replace(result, protocol=protocol, key=ev.key_of(protocol))
    assert report.groups([result, other, result]) == [[0, 2], [1]]
    assert report.differences(result, other) == ["clips: 48 and 64",
                                                 f"extractor.weights: {own} and 0123"]
    assert "48 clips of 8x16x16" in report.sentence(result)


@pytest.mark.slow
def test_the_command_line_measures_and_says_what_is_wrong(model, store, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    write_network(run / "checkpoints" / "000001000-network.safetensors")

    sheet = tmp_path / "near.png"
    words = [run, "--data", store.folder, "--clips", 400, "--nearest", sheet]
    done = subprocess.run([sys.executable, "-m", "pvswgan", "evaluate", *map(str, words)], cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "the store allows 48 clips of each kind, not 400" in done.stdout
    assert "FID" in done.stdout and "floor: other reals" in done.stdout
    assert "clipnet tells the six motions of toyfaces apart in 98.7 % of unseen clips." in done.stdout
    [file] = (run / "metrics").iterdir()
    found = Result.from_json(file.read_text())
    assert found.protocol["clips"] == 48
    assert sheet.read_bytes()[16:24] == (8 * 16).to_bytes(4, "big") + (64 * 16).to_bytes(4, "big")
    again = command("pvswgan", "evaluate", run, "--data", store.folder, "--clips", 16, "--seed", 3, "--seeds", 2,
                    "--out", tmp_path / "of.json")
    assert again.returncode == 0, again.stderr
    several = [Result.from_json((tmp_path / f"of-seed{seed}.json").read_text()) for seed in (3, 4)]
    assert [one.protocol["seed"] for one in several] == [3, 4] and len(list((run / "metrics").iterdir())) == 3
    fell = [one.values["swd"]["value"] for one in several]
    assert fell[0] != fell[1] and report.spread(fell) in again.stdout, "mean and deviation"
    good = (run, "--data", store.folder)
    for words, said in (((*good, "--device", "nonsense"), "--device is 'nonsense'; allowed here: cpu"),
                        ((*good, "--split", "tset"), "split is 'tset'; those of"),
                        ((run, "--data", tmp_path), "is not a clip store"),
                        ((*good, "--extractor", "x"), "extractor is 'x'; allowed: clipnet"),
                        ((*good, "--nearest", "a.txt"), "--nearest is 'a.txt'")):
        failed = command("pvswgan", "evaluate", *words)
        assert failed.returncode == 2
        assert said in failed.stderr and "Traceback" not in failed.stderr
