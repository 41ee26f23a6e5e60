"""python -m pvswgan {sample,interpolate,info,evaluate,data}: use a trained model, measure it, and bring clips in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from pvswgan import checkpoint, latents, video
from pvswgan.data import commands
from pvswgan.metrics.command import evaluate

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
                  help="Use a trained model: a run folder, a .safetensors file, or a name from assets/.")
app.add_typer(commands.app, name="data")
app.command()(evaluate)
ModelName = Annotated[str, typer.Argument(help="run folder, .safetensors file, or a name from assets/")]
Out = Annotated[Path, typer.Option(help="file to write: .mp4, .gif, .webp, or .png (a strip of frames)")]
Seed = Annotated[int, typer.Option(min=0)]
Truncation = Annotated[float, typer.Option(min=0, max=1, help="1: as trained, 0: one clip for all")]
Fps = Annotated[float, typer.Option(min=1, help="frames a second")]
Scale = Annotated[int, typer.Option(min=1, help="whole enlargement")]


@app.command()
def sample(model: ModelName, out: Out = Path("samples.mp4"), n: Annotated[int, typer.Option(min=1)] = 9, seed: Seed = 0,
           truncation: Truncation = 1.0, fps: Fps = video.FPS, scale: Scale = 4) -> None:
    """Draw clips and write them side by side."""
    clips = checkpoint.load(model).sample(n, seed, truncation)
    print(video.write(clips, out, fps, scale))


@app.command()
def interpolate(model: ModelName, out: Out = Path("walk.mp4"), seeds: Annotated[str, typer.Option(
        help="keyframes, a comma between")] = "0,1,2,3", steps: Annotated[int, typer.Option(
            min=1, help="clips from one keyframe to the next")] = 8, truncation: Truncation = 1.0, fps: Fps = video.FPS,
                scale: Scale = 4) -> None:
    """Walk through keyframes and back to the first, spherically: one clip after another."""
    loaded = checkpoint.load(model)
    try:
        keys = [latents.sample_latents(1, loaded.latent_dim, int(seed)) for seed in seeds.split(",")]
    except ValueError as error:
        raise ValueError(f"--seeds is {seeds!r}; allowed: whole numbers from 0 with commas between") from error
    pairs = zip(keys, keys[1:] + keys[:1], strict=True)
    path = torch.cat([latents.slerp(a, b, i / steps) for a, b in pairs for i in range(steps)])
    clips = video.to_uint8(loaded.generate(path, truncation))
    print(video.write(clips.reshape(1, -1, *clips.shape[2:]), out, fps, scale))


@app.command()
def info(model: ModelName) -> None:
    """What a model is and what it was trained on."""
    m = checkpoint.load(model)
    data, loss, system = m.config["data"], m.config["loss"], m.config["network"].get("system", "pvswgan")
    print(f"{m.path}\nclips of {m.frames}x{m.resolution}x{m.resolution} (frames, pixels), latents of {m.latent_dim}\n"
          f"stage {m.stage} of {len(m.sizes) - 1}, alpha {m.alpha:g}, {m.clips / 1000:g} kimg\n"
          f"data {data['source']} {data['path'] or ''}\nloss {loss}, system {system}")


if __name__ == "__main__":
    try:
        app()
    except (ValueError, OSError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
