"""From a latent to one clip's pixels, as the page draws it while a slider moves."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from pvswgan.inference import quickest
from pvswgan.latents import sample_latents
from pvswgan.networks import Generator
from pvswgan.video import encode_jpeg, sprite_sheet, to_uint8

CHANNELS = 32    # at every resolution
WARM = 3         # draws before those that count
SIZES = {"16x32x32": ((4, 4), (8, 8), (8, 16), (16, 32)),
         "16x64x64": ((4, 4), (8, 8), (8, 16), (16, 32), (16, 64)),
         "32x64x64": ((4, 4), (8, 8), (8, 16), (16, 32), (32, 64))}


def clip_rows(draws: int) -> list[dict[str, Any]]:
    """One row a size: size, channels, precision (the quicker one here), then milliseconds of `draws` clips:
    clip_p50, clip_p95 from the latent to its pixels in [-1, 1]; sheet_p50 with uint8 and JPEG, as the page sends it."""
    return [_row(name, sizes, draws) for name, sizes in SIZES.items()]


def _row(name: str, sizes: tuple[tuple[int, int], ...], draws: int) -> dict[str, Any]:
    torch.manual_seed(0)
    generator = Generator(sizes, 128, CHANNELS * sizes[-1][1] // 2, CHANNELS).eval().requires_grad_(False)
    stage, latents = len(sizes) - 1, sample_latents(draws + WARM, 128, 0).split(1)
    renderer = quickest(generator, generator.start(latents[0]), stage)
    clips, sheets = [], []
    for z in latents:
        began = time.perf_counter()
        clip = renderer(generator.start(z), stage).clamp(-1, 1)
        clips.append(1000 * (time.perf_counter() - began))
        encode_jpeg(sprite_sheet(to_uint8(clip)))
        sheets.append(1000 * (time.perf_counter() - began))
    clips, sheets = clips[WARM:], sheets[WARM:]
    cuts = statistics.quantiles(clips, n=20, method="inclusive")
    return {"size": name, "channels": CHANNELS, "precision": str(renderer.dtype).removeprefix("torch."),
            "clip_p50": statistics.median(clips), "clip_p95": cuts[18], "sheet_p50": statistics.median(sheets)}
