"""The benchmarks of the data: they run, at a size for tests, and what they print of quality is right."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.autograd import DeviceType
from typer.testing import CliRunner

import train.benchmark.clip
import train.benchmark.roofline
from pvswgan.data import toyfaces
from pvswgan.data.sources import open_store
from tests.data.files import noise, write_strip
from tests.train import tiny
from train.benchmark.__main__ import app
from train.benchmark.codec import codec_table, psnr, ssim
from train.benchmark.reads import reads_table
from train.benchmark.report import schedule
from train.benchmark.roofline import Rates, step_seconds
from train.benchmark.where import summed, where_rows
from train.config import dump, load


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
def test_reads_are_compared_with_training_at_every_stage():
    settings = tiny.config()
    store = open_store("toyfaces", None, 8, frames=8, clips=12)
    rows = reads_table(settings, store, seconds=0.05)
    assert [row["size"] for row in rows] == ["4x4x4", "4x8x8", "8x8x8"]
    for row in rows:
        assert row["timed"] and row["read"] > 0 and row["times"] == pytest.approx(row["read"] / row["trained"])


def test_codecs_are_measured_against_the_pixels_themselves():
    clips = [toyfaces.draw(n, resolution=64, frames=20) for n in range(2)]
    rows = {row["codec"]: row for row in codec_table(clips)}
    assert rows["h264 lossless"]["psnr"] == rows["webp lossless"]["psnr"] == float("inf")
    ours = rows["h264 of the store"]
    assert ours["worst_psnr"] > 45 and ours["worst_ssim"] > 0.99 and 0.97 < ours["motion"] < 1.03
    assert ours["bytes"] * ours["smaller"] == pytest.approx(20 * 64 * 64 * 3, rel=0.01)
    assert ours["bytes"] < rows["h264 lossless"]["bytes"] and rows["jpeg 95 4:4:4"]["psnr"] < ours["psnr"]


def test_psnr_and_ssim_of_known_errors():
    clip = noise(3, 64)
    assert psnr(clip, clip) == float("inf") and ssim(clip, clip) == pytest.approx(1.0)
    grey = np.full((2, 64, 64, 3), 100, np.uint8)
    assert psnr(grey, grey + 10) == pytest.approx(20 * np.log10(25.5))
    assert ssim(clip, noise(3, 64, seed=1)) < 0.1


@pytest.mark.slow
def test_import_and_draw_print_their_tables(tmp_path, cache):
    for n in range(6):
        write_strip(tmp_path / "data" / f"{n}.png", noise(8, 16))
    found = CliRunner().invoke(app, ["import", str(tmp_path / "data"), "--resolution", "16", "--workers", "2"])
    assert found.exit_code == 0, found.output
    assert "files/s" in found.output and not list(cache.iterdir())       # the store that was measured is gone
    found = CliRunner().invoke(app, ["draw", "--resolution", "16", "--seconds", "0.1", "--workers", "1"])
    assert found.exit_code == 0 and "toyfaces" in found.output and "shapes" in found.output


@pytest.mark.slow
def test_one_clip_and_the_profile_print_their_tables(monkeypatch):
    monkeypatch.setattr(train.benchmark.clip, "SIZES", {"4x8x8": ((4, 4), (4, 8))})
    found = CliRunner().invoke(app, ["clip", "--draws", "3"])
    assert found.exit_code == 0 and "4x8x8" in found.output
    sizes = ["growth.resolution=8", "growth.frames=4", "train.batch=4", "train.lr=0.001", "growth.fade_kimg=1",
             "growth.stable_kimg=1"]
    found = CliRunner().invoke(app, ["where", "1", *(word for size in sizes for word in ("--set", size))])
    assert found.exit_code == 0 and "weight gradients" in found.output
    with pytest.raises(ValueError, match="stage is 7; allowed: 0 to"):
        CliRunner().invoke(app, ["where", "7"], catch_exceptions=False)


def test_the_profile_counts_each_operator_once():
    rows = where_rows(tiny.config(), torch.device("cpu"), 1, steps=1)
    for name in ("engine", "reference"):
        assert sum(row[f"{name}_share"] for row in rows) == pytest.approx(1)
        assert next(row for row in rows if row["group"] == "weight gradients")[name] > 0


def test_on_a_gpu_a_kernel_is_not_counted_beside_its_operator():
    """As the profiler gives them: an operator that holds its kernels' time, those kernels, and an annotation."""
    def event(key, kind, device):
        return SimpleNamespace(key=key, device_type=kind, self_device_time_total=device, self_cpu_time_total=1.0)

    events = [event("aten::cudnn_convolution", DeviceType.CPU, 50.0), event("sm90_xmma_fprop", DeviceType.CUDA, 50.0),
              event("aten::add", DeviceType.CPU, 5.0), event("elementwise", DeviceType.CUDA, 5.0),
              event("Optimizer.step#Adam.step", DeviceType.CUDA, 7.0)]
    assert summed(events, gpu=True) == {"convolutions": 50.0, "everything else": 5.0}


@pytest.mark.slow
def test_the_roofline_is_by_the_best_rates_of_the_whole_run(tmp_path, monkeypatch):
    """Measured once, at a busy moment, they gave shares of more than 100 %."""
    found = iter([Rates(1e6, 1e9), Rates(1e13, 1e9), Rates(1e12, 1e10), Rates(1e6, 1e6)])
    monkeypatch.setattr(train.benchmark.roofline, "measure_rates", lambda *_: next(found))
    config = tmp_path / "tiny.yaml"
    config.write_text(dump(tiny.config()))
    said = CliRunner().invoke(app, ["--config", str(config), "--device", "cpu", "--precision", "float32", "--seconds",
                                    "0", "--out", str(tmp_path)])
    assert said.exit_code == 0, said.output
    result = json.loads((tmp_path / "steps.json").read_text())
    assert (result["matrix_tflops"], result["bandwidth_gbs"]) == (10, 10)
    for row in result["rows"]:
        least = step_seconds(load(config, ["precision=float32"]), row["stage"], row["batch"], Rates(1e13, 1e10), 4)
        assert row["roofline_s"] == pytest.approx(least) and row["share"] == pytest.approx(least / row["engine_s"])
        assert row["share"] < 1 and "above 100 %" not in (tmp_path / "steps.md").read_text()


def test_the_plans_days_are_those_of_its_clips_at_the_measured_rates():
    def row(size, kimg, engine, reference, share=0.5):
        return {"size": size, "kimg": kimg, "engine": engine, "reference": reference, "share": share}

    rows = [row("4x4x4", 864, 1000, 1000), row("8x8x8", 8640, 100, 25, 0.61)]      # 0.01 and 1 day; 0.01 and 4
    assert schedule(rows) == ("The plan's 9,504 kimg at 4x4x4, 8x8x8 take 1.01 days at these rates, the reference "
                              "4.01: 3.97 times; of the roofline 50% at 4x4x4 and 61% at 8x8x8.")
    out_of_memory = [*rows, row("8x16x16", 500, None, None, None)]
    assert schedule(out_of_memory).startswith("The plan's 9,504 kimg at 4x4x4, 8x8x8 take 1.01 days")
    assert schedule([row("4x4x4", None, 10, 10)]) == "" == schedule([])
