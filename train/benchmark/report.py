"""The benchmark's result as a table (Markdown), as JSON and as a picture (SVG)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# "/s" are clips a second
COLUMNS = ("size TxHxW", "batch", "reference /s", "engine /s", "ratio", "roofline /s", "share", "TFLOP/s",
           "reference MB", "engine MB")
BARS = (("reference", "#9aa5b1"), ("engine", "#2563eb"), ("roofline", "#d9e2ec"))


def write(folder: Path, name: str, result: dict[str, Any]) -> list[Path]:
    """Write NAME.json, NAME.md and NAME.svg into the folder; returns their paths.

    result: {"machine", "date", "command", "config", "precision", "tf32", "matrix_tflops", "bandwidth_gbs", "rows"}
    with rows from steps_table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {".json": json.dumps(result, indent=1), ".md": markdown(name, result), ".svg": picture(result)}
    paths = []
    for suffix, text in texts.items():
        paths.append(folder / f"{name}{suffix}")
        paths[-1].write_text(text + "\n", encoding="utf-8")
    return paths


def cells(row: Row) -> list[str]:
    """A row of steps_table under COLUMNS."""
    return [row["size"], str(row["batch"]), _number(row["reference"]), _number(row["engine"]),
            f"{row['ratio']:.2f}" if row.get("ratio") else "-", _number(row["batch"] / row["roofline_s"]),
            f"{row['share']:.0%}" if row.get("share") else "-", f"{row['tflops']:.3g}" if row.get("tflops") else "-",
            _whole(row["reference_mb"]), _whole(row["engine_mb"])]


def caption(result: dict[str, Any]) -> str:
    """Machine, date, precision and measured rates, in one paragraph."""
    return (f"{result['machine']}, {result['date']}. Engine in {result['precision']}; reference in float32, TF32 "
            f"{'on' if result['tf32'] else 'off'}. Best matrix rate {result['matrix_tflops']:.3g} TFLOP/s, "
            f"memory {result['bandwidth_gbs']:.3g} GB/s, measured in the same run"
            + (". A share above 100 % means that the machine was busier while these were measured"
               if any((row.get("share") or 0) > 1 for row in result["rows"]) else "") + ".")


def schedule(rows: Sequence[Row]) -> str:
    """What the plan takes at these rates, and how much less than the reference that is; of the stages that both were
    measured at, all of them or not. Empty of rows that do not tell the plan's clips."""
    both = [row for row in rows if row.get("kimg") and row["engine"] and row["reference"]]
    if not both:
        return ""
    days = {name: sum(1000 * row["kimg"] / row[name] for row in both) / 86400 for name in ("engine", "reference")}
    last = " and ".join(f"{row['share']:.0%} at {row['size']}" for row in rows[-2:] if row.get("share"))
    return (f"The plan's {sum(row['kimg'] for row in both):,.0f} kimg at {', '.join(row['size'] for row in both)} take "
            f"{_number(days['engine'])} days at these rates, the reference {_number(days['reference'])}: "
            f"{days['reference'] / days['engine']:.2f} times" + (f"; of the roofline {last}." if last else "."))


def markdown(name: str, result: dict[str, Any]) -> str:
    lines = [f"# Training steps: {name}", "", caption(result), "", f"    {result['command']}", "",
             *([said, ""] if (said := schedule(result["rows"])) else []),
             "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in result["rows"]]
    lines += ["", f"![clips a second by stage]({name}.svg)", "",
              "A step is one of the critic, with its penalty, and one of the generator. Memory is the greatest during "
              "a step, above what networks and optimisers hold. The roofline is the least time that the step's layers "
              "could take (train/benchmark/roofline.py); share is how much of it the engine reaches."]
    return "\n".join(lines)


def picture(result: dict[str, Any]) -> str:
    """Clips a second of reference, engine and roofline, a group of bars a stage, on a logarithmic axis."""
    groups = [(row["size"], {"reference": row["reference"], "engine": row["engine"],
                             "roofline": row["batch"] / row["roofline_s"]}) for row in result["rows"]]
    found = [v for _, bars in groups for v in bars.values() if v]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    high = max(high, low + 1)
    left, top, height, group = 64, 40, 240, 110
    width = left + group * len(groups) + 16

    def y(value: float) -> float:
        return top + height * (1 - (math.log10(value) - low) / (high - low))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + height + 48}" '
           'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>']
    for power in range(low, high + 1):
        at = y(10.0**power)
        out += [f'<path d="M{left} {at:.1f}H{width - 16}" stroke="#e5e7eb"/>',
                f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#52606d">{10.0**power:g}</text>']
    for n, (name, colour) in enumerate(BARS):
        out += [f'<rect x="{left + 100 * n}" y="12" width="12" height="12" fill="{colour}"/>',
                f'<text x="{left + 100 * n + 18}" y="22" fill="#323f4b">{name}</text>']
    out.append(f'<text x="{width - 16}" y="22" text-anchor="end" fill="#52606d">clips/s</text>')
    for place, (size, bars) in enumerate(groups):
        x = left + group * place + 10
        for n, (name, colour) in enumerate(BARS):
            value = bars[name]
            if value:
                out.append(f'<rect x="{x + 30 * n}" y="{y(value):.1f}" width="26" fill="{colour}" '
                           f'height="{top + height - y(value):.1f}"><title>{name} {_number(value)}</title></rect>')
        out.append(f'<text x="{x + 43}" y="{top + height + 20}" text-anchor="middle" fill="#323f4b">'
                   f'{escape(size)}</text>')
    return "\n".join([*out, "</svg>"])


def parse_stages(text: str | None, count: int) -> Sequence[int]:
    """'0-3,5' -> [0, 1, 2, 3, 5]; None: all. Raises ValueError."""
    if text is None:
        return range(count)
    stages: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"--stages is {text!r}; allowed: numbers and ranges, such as 0-3,5")
        stages += range(int(first), int(last if dash else first) + 1)
    if not stages or max(stages) >= count:
        raise ValueError(f"--stages is {text!r}; allowed: 0 to {count - 1}")
    return sorted(set(stages))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _whole(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:,.0f}"
