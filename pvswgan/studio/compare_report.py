"""The comparison as one HTML file that opens by itself: no server, no script, nothing from outside.

Its clips are one animated WebP picture: an <img> plays it without a player, over and over, and as one picture holds
all models, they cannot get out of step. (A zip would have to be unpacked, and several films each start when they load.)
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from pvswgan import video
from pvswgan.charts import Line, chart
from pvswgan.studio import compare_facts
from pvswgan.studio.models import UnknownModelError, check_size
from pvswgan.studio.points import Point

if TYPE_CHECKING:
    from pvswgan.studio.server import Studio

Axis = Literal["clips", "steps", "seconds"]
ACROSS: dict[str, tuple[str, float]] = {  # name of the axis, and what its values are divided by
    "clips": ("clips seen, in thousands (kimg)", 1000), "steps": ("steps", 1), "seconds": ("minutes of training", 60)}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5588c")
SMALLEST = 128  # pixels of a clip's side
WEIGHT = 0.9  # of the moving average
SHARED = {"swd": "SWD of space-time patches (lower is better)",
          "diversity": "Diversity, as a share of the real clips’", "motion": "Motion, as a share of the real clips’"}
LOSSES = ("Losses have axes of their own: each loss measures something else, in units of its own, so a lower line does "
          "not mean better clips. What can be compared is measured on the clips, on twelve of each snapshot: a coarse "
          "guide, in which no line goes on from one size to the next.")
APART = ("What is measured on clips has a chart for each set of real clips and each last size: against other clips, or "
         "at another size, it cannot be compared.")
STYLE = """
:root { color-scheme: light dark; --dim: #5b6b82; --line: #d5dce6; }
@media (prefers-color-scheme: dark) { :root { --dim: #a8b4c6; --line: #3a4556; } }
body { max-width: 1040px; margin: 32px auto; padding: 0 16px; font: 16px/1.5 system-ui, sans-serif; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
.dim { color: var(--dim); }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
.heads { display: grid; gap: 4px; overflow-wrap: anywhere; }
.clips { max-width: calc(var(--columns) * 240px); }
img { display: block; width: 100%; image-rendering: pixelated; }
.charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(460px, 100%), 1fr)); }
svg { width: 100%; font: 11px system-ui, sans-serif; }
svg text { fill: currentColor; }
svg .title { font-size: 13px; font-weight: 600; }
svg .grid { stroke: var(--line); }
"""


def make(studio: Studio, ids: Sequence[str], seeds: Sequence[int], truncation: float, fps: float, axis: Axis) -> str:
    """The whole page. Sides without a checkpoint have no clips in it. Raises UnknownModelError, CheckpointError,
    TooMuchError."""
    sides = [compare_facts.describe(studio, id) for id in ids]
    colours = [COLOURS[i] for i in range(len(sides))]
    title = " · ".join(side["name"] for side in sides)
    body = [f"<h1>{escape(title)}</h1>",
            f'<p class="dim">Compared by PVSWGAN Studio, {time.strftime("%Y-%m-%d %H:%M")}.</p>',
            _clips(studio, ids, sides, colours, seeds, truncation, fps), _costs(sides, colours),
            _differences(sides, colours), _curves(studio, sides, colours, axis)]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>")


# ---- clips --------------------------------------------------------------------------------------------------------


def _clips(studio: Studio, ids: Sequence[str], sides: Sequence[dict[str, Any]], colours: Sequence[str],
           seeds: Sequence[int], truncation: float, fps: float) -> str:
    points = [Point(seed=seed, truncation=truncation) for seed in seeds]
    sheets, heads = [], []
    for id, side, colour in zip(ids, sides, colours, strict=True):
        if side["frames"] is None:
            continue
        try:
            opened = studio.models.open(id)
        except UnknownModelError:
            continue  # cleared away by its training this very moment
        check_size(opened, len(points))
        sheets.append(studio.models.draw(opened, studio.models.latents(opened, points), truncation, fast=False))
        at = f" after {side['clips'] / 1000:.4g} kimg" if side["kind"] == "run" else ""
        size = f"{side['frames']} frames of {side['resolution']} × {side['resolution']}"
        heads.append(f'<span>{_dot(colour)}{escape(side["name"])}{at}<br><span class="dim">{size}</span></span>')
    if not sheets:
        return '<p class="dim">None of these has a checkpoint yet, so there are no clips.</p>'
    data = base64.b64encode(film(sheets, fps)).decode()
    columns = f"grid-template-columns: repeat({len(sheets)}, 1fr)"
    said = (f"Seeds {', '.join(map(str, seeds))}; truncation {truncation:g}; {fps:g} frames a second. The same latents "
            "in each column, frames matched by their share of the time.")
    return (f'<h2>Clips</h2><div class="clips" style="--columns: {len(sheets)}">'
            f'<div class="heads" style="{columns}">{"".join(heads)}</div>'
            f'<img alt="Clips of each model, a row for each seed" src="data:image/webp;base64,{data}"></div>'
            f'<p class="dim">{said}</p>')


def film(sheets: Sequence[video.Pixels], fps: float) -> bytes:
    """Animated WebP: a column for each model's clips (N, T, H, W, 3), a row for each of N; all at the size of the
    largest, smaller ones enlarged without smoothing."""
    side = max(SMALLEST, *(clips.shape[2] for clips in sheets))
    count = max(clips.shape[1] for clips in sheets)
    frames = []
    for t in range(count):
        columns = []
        for clips in sheets:
            column = clips[:, t * clips.shape[1] // count].reshape(-1, clips.shape[3], 3)
            size = side, side * len(clips)
            columns.append(np.asarray(Image.fromarray(column).resize(size, Image.Resampling.NEAREST)))
        frames.append(Image.fromarray(np.concatenate(columns, axis=1)))
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=round(1000 / fps), loop=0, quality=90,
                   minimize_size=False, method=2)
    return out.getvalue()


# ---- tables -------------------------------------------------------------------------------------------------------


def _costs(sides: Sequence[dict[str, Any]], colours: Sequence[str]) -> str:
    def text(side: dict[str, Any], key: str) -> str:
        value = side["costs"][key]
        if value is None:
            return "–"
        return {"parameters": lambda: f"{value:,}", "seconds": lambda: f"{value / 60:.1f} min",
                "clips_per_s": lambda: f"{value:.1f}"}.get(key, lambda: str(value))()

    names = {"parameters": "Generator’s parameters", "clips_per_s": "Clips a second, at the end",
             "seconds": "Time trained", "device": "Machine", "state": "State"}
    rows = [[name, *(text(side, key) for side in sides)] for key, name in names.items()]
    return f"<h2>Costs</h2>{_table(sides, colours, rows)}"


def _differences(sides: Sequence[dict[str, Any]], colours: Sequence[str]) -> str:
    found = compare_facts.differences([side["config"] for side in sides])
    rows = [[row["key"], *("–" if value is None else str(value) for value in row["values"])] for row in found]
    table = _table(sides, colours, rows) if rows else "<p>None: the configurations are the same.</p>"
    return f"<h2>Differences of the configurations</h2>{table}"


def _table(sides: Sequence[dict[str, Any]], colours: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = zip(sides, colours, strict=True)
    head = "".join(f"<th>{_dot(colour)}{escape(side['name'])}</th>" for side, colour in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr><th></th>{head}</tr>{body}</table></div>'


def _dot(colour: str) -> str:
    return f'<span class="dot" style="background: {colour}"></span>'


# ---- curves -------------------------------------------------------------------------------------------------------


def _curves(studio: Studio, sides: Sequence[dict[str, Any]], colours: Sequence[str], axis: Axis) -> str:
    known = []
    for side, colour in zip(sides, colours, strict=True):
        run = compare_facts.run_of(studio, side["id"])
        if run is not None:
            known.append((side, colour, compare_facts.curves(run, seconds=20)))
    across, per = ACROSS[axis]

    def line(side: dict[str, Any], colour: str, rows: Sequence[dict[str, Any]], key: str, dashed: bool = False,
             weight: float = 0.0) -> Line:
        rows = [row for row in rows if row.get(key) is not None and row.get(axis) is not None]
        values = smoothed([row[key] for row in rows], weight)
        return Line(side["name"], colour, [(row[axis] / per, v) for row, v in zip(rows, values, strict=True)], dashed)

    charts = []
    for loss in dict.fromkeys(side["loss"] for side, _, _ in known):
        own = [k for k in known if k[0]["loss"] == loss]
        lines = [line(s, c, f["rows"], key, key == "loss_D", WEIGHT) for s, c, f in own for key in ("loss_G", "loss_D")]
        charts.append(chart(f"Losses of {loss}, smoothed (critic dashed); own axis", across, lines))
    groups: dict[str, list[Any]] = {}
    for one in known:
        groups.setdefault(one[2]["against"], []).append(one)
    for key, title in SHARED.items():
        for group in groups.values():
            names = f"{', '.join(s['name'] for s, _, _ in group)}: " if len(groups) > 1 else ""
            lines = [line(s, c, rows, key) for s, c, f in group for rows in _by_size(f["measures"])]
            charts.append(chart(names + title, across, lines))
    charts.append(chart("Clips a second", across, [line(s, c, f["rows"], "clips_per_s") for s, c, f in known]))
    drawn = "".join(f"<div>{one}</div>" for one in charts if one)
    legend = " &nbsp; ".join(f"{_dot(c)}{escape(s['name'])}" for s, c, _ in known)
    if not drawn:
        return ""
    words = f"{LOSSES} {APART}" if len(groups) > 1 else LOSSES
    return f'<h2>Curves</h2><p>{legend}</p><p class="dim">{words}</p><div class="charts">{drawn}</div>'


def _by_size(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of each size of clips: one is measured against other clips than the next."""
    return [[row for row in rows if row["size"] == size] for size in dict.fromkeys(row["size"] for row in rows)]


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """A moving average from zero over the weight that it has seen (debiased), as the page draws it."""
    total = seen = 0.0
    out = []
    for value in values:
        total, seen = weight * total + (1 - weight) * value, weight * seen + (1 - weight)
        out.append(total / seen)
    return out
