"""The results of a study as a part of docs/RESULTS.md: tables, curves and sample sheets. What people conclude from them
is written by hand around it and stays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from pvswgan.charts import HEIGHT, WIDTH, Line, chart
from pvswgan.files import write_text
from pvswgan.metrics.evaluate import VERSION, Result, about_level, better, label
from pvswgan.metrics.report import figure, sentence, spread
from train.study.plan import Study, changed, trainings

SET_AGAINST = ("fid", "swd", "motion_distance", "recall")
CURVES = ("fid", "swd")
FLOOR, GREY = "floor: reals", "#7b8794"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5588c", "#8a6d00", "#56b4e9", "#7f3c8d", "#333333")
ARROWS = {"lower": "↓", "higher": "↑", "as the reals": "≈", "": ""}
NAME_WIDTH = 112  # of an arm above the curves
LARGER = 3  # times, of a sample sheet
STYLE = ("text { font: 11px system-ui, sans-serif; fill: #323f4b } .title { font-size: 13px; font-weight: 600 } "
         ".grid { stroke: #d5dce6 }")


@dataclass(frozen=True)
class Done:
    """A training's result file. result: None where no network gave clips of the last size."""

    arm: str
    seed: int
    facts: dict[str, Any]
    result: Result | None

    def value(self, measure: str) -> float | None:
        row = self.result.values.get(measure) if self.result else None
        return None if row is None else row["value"]


def read(study: Study, out: Path) -> list[Done]:
    """The results that there are, in the order of the study. Raises ValueError where one cannot be read, is of another
    plan, or was measured by another protocol than the rest: such numbers do not stand in one table."""
    found = []
    for training in trainings(study):
        path = out / "results" / f"{training.name}.json"
        if not path.is_file():
            continue
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            result = Result.from_json(json.dumps(facts["result"])) if facts["result"] else None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a result of a study: {error}") from None
        other = changed(training, facts["config"])
        for key in ("minutes", "kimg"):
            if facts.get(key) != getattr(study, key):
                other = f"{key}: {facts.get(key)}, now {getattr(study, key)}"
        if other:
            raise ValueError(f"{path} is of another plan ({other}): rename this one, or move the results away")
        found.append(Done(training.arm, training.seed, facts, result))
    keys = {done.result.key for done in found if done.result}
    if len(keys) > 1:
        raise ValueError(f"{out} has results of {len(keys)} protocols ({', '.join(sorted(keys))}): delete those of the "
                         "one that is not meant, and measure again")
    return found


def write(study: Study, command: str, out: Path, page: Path) -> None:
    """Put the study's part into the page, between its two marks, or at its end. Raises ValueError, OSError."""
    done = read(study, out)
    begin, end = f"<!-- study {study.name}: written by the command below -->", f"<!-- end of study {study.name} -->"
    text = page.read_text(encoding="utf-8") if page.is_file() else "# Results\n"
    part = f"{begin}\n{body(study, done, command, out, page.parent)}\n{end}"
    if begin in text and end in text:
        before, _, rest = text.partition(begin)
        text = before + part + rest.partition(end)[2]
    else:
        text = f"{text.rstrip()}\n\n{part}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, text)


def body(study: Study, done: Sequence[Done], command: str, out: Path, beside: Path) -> str:
    """Markdown; pictures are written into `out` and named relative to `beside`."""
    total = len(trainings(study))
    if not done:
        return f"    {command}\n\nNone of {total} trainings has a result yet."
    machines = sorted({one.facts["machine"] for one in done})
    dates = sorted(one.result.about["date"][:10] for one in done if one.result)
    parts = [f"    {command}",
             f"{lasting(study, done)} for each training, the same clips for all; {len(done)} of {total} "
             f"trainings are done{_missing(study, done)}. {'; '.join(machines)}. "
             + (f"Measured {' to '.join(sorted({dates[0], dates[-1]}))}. " if dates else "")
             + next((sentence(one.result) for one in done if one.result), ""),
             measures(study, done), differences(study, done), costs(study, done)]
    if drawing := curves(study, done):
        write_text(out / "curves.svg", drawing + "\n")
        what = " and ".join(label(measure) for measure in CURVES)
        along = "time and over clips" if study.minutes else "clips"
        parts.append("Curves begin where a training reaches clips of the last size; lines are means over the seeds; "
                     f"dashed grey: the floor{_ceilings(done)}.\n\n"
                     f"![{what} over {along}]({_relative(out / 'curves.svg', beside)})")
    parts.append(sheets(study, done, out, beside))
    return "\n\n".join(part for part in parts if part)


def _ceilings(done: Sequence[Done]) -> str:
    """Where noise lies, which is too far off to be drawn: ", noise: FID 494.4, ..."; "" where nothing was measured."""
    values = next((one.result.values for one in done if one.result), {})
    found = [f"{label(measure)} {figure(values[measure]['ceiling'])}" for measure in CURVES if measure in values]
    return f"; noise: {', '.join(found)}" if found else ""


def lasting(study: Study, done: Sequence[Done]) -> str:
    """How long each training of the study was, in words; `done` has at least one."""
    per = "processor time" if str(done[0].facts["device"]) == "cpu" else "training time"
    return f"{study.minutes:g} minutes of {per}" if study.minutes else f"{study.kimg:g} kimg"


def earlier(done: Sequence[Done]) -> str:
    """A sentence where the numbers cannot be compared with those of other studies; else ""."""
    version = next((one.result.protocol["measures"] for one in done if one.result), VERSION)
    return (f"By version {version} of the measures, which is now {VERSION}: not to be set beside other studies "
            "(METRICS.md)." if version != VERSION else "")


def _missing(study: Study, done: Sequence[Done]) -> str:
    """Which arms have no result at all yet."""
    none = [arm for arm in study.arms if arm not in {one.arm for one in done}]
    return f" (none yet of {', '.join(none)})" if none else ""


def measures(study: Study, done: Sequence[Done]) -> str:
    """A row a measure: every arm, floor and ceiling."""
    arms = {arm: found for arm in study.arms if (found := [one for one in done if one.arm == arm])}
    head = [f"{arm} ({sum(one.result is not None for one in found)})" for arm, found in arms.items()]
    lines = [_row(["measure", *head, "floor", "ceiling"]), _row(["---"] * (len(head) + 3))]
    known = _all_measures(done)
    for measure in known:
        rows = [one.result.values[measure] for one in done if one.result and measure in one.result.values]
        if not rows:
            continue
        cells = [spread([v for one in found if (v := one.value(measure)) is not None]) for found in arms.values()]
        level = about_level(measure, known)
        name = f"{label(measure)}: {level}" if level else label(measure)
        lines.append(_row([f"{name} {ARROWS[better(measure)]}", *cells, figure(rows[0]["floor"]),
                           figure(rows[0]["ceiling"])]))
    ended = [f"{one.facts['arm']}-{one.seed}: {one.facts['failed']}" for one in done if one.facts["failed"]]
    notes = ["Mean ± standard deviation over seeds (how many: in the head). ↓ lower is better, ↑ higher is better, "
             "≈ as the floor is best.", earlier(done)]
    return (" ".join(filter(None, notes)) + "\n\n" + "\n".join(lines)
            + ("\n\nFailed: " + "; ".join(ended) if ended else ""))


def _all_measures(done: Sequence[Done]) -> list[str]:
    """Of the results, in their order; without deviations over subsets."""
    found = dict.fromkeys(name for one in done if one.result for name in one.result.values)
    return [name for name in found if not name.endswith("_deviation")]


def differences(study: Study, done: Sequence[Done]) -> str:
    """Seed by seed against the reference: what all trainings of a seed share (clips' order, machine) goes away."""
    base = {one.seed: one for one in done if one.arm == study.reference}
    lines = [_row(["arm", *(f"{label(m)} {ARROWS[better(m)]}" for m in SET_AGAINST)]),
             _row(["---"] * (len(SET_AGAINST) + 1))]
    for arm in study.arms:
        if arm == study.reference or arm not in {one.arm for one in done}:
            continue
        cells = []
        for measure in SET_AGAINST:
            pairs = [(base[one.seed].value(measure), one.value(measure)) for one in done
                     if one.arm == arm and one.seed in base]
            found = [b - a for a, b in pairs if a is not None and b is not None]
            cells.append(f"{spread(found)} ({', '.join(f'{x:+.3g}' for x in found)})" if found else "-")
        lines.append(_row([arm, *cells]))
    return (f"Difference from {study.reference} of the same seed, mean ± deviation (each seed):\n\n" + "\n".join(lines)
            if len(lines) > 2 and base else "")


def costs(study: Study, done: Sequence[Done]) -> str:
    """What each arm took."""
    columns: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
        ("generator, parameters", lambda f: f["parameters"]["generator"]),
        ("critic, parameters", lambda f: f["parameters"]["critic"]),
        ("clips seen", lambda f: f["cost"]["clips"]),
        ("clips a processor second at the end", lambda f: f["cost"]["clips_per_cpu_second"]),
        ("processor seconds", lambda f: f["cost"]["cpu_seconds"]), ("seconds", lambda f: f["cost"]["seconds"]),
        ("memory, MB", lambda f: f["cost"]["memory_mb"])]
    lines = [_row(["arm", *(title for title, _ in columns)]), _row(["---"] * (len(columns) + 1))]
    for arm in study.arms:
        found = [one.facts for one in done if one.arm == arm]
        known = [[x for facts in found if (x := of(facts)) is not None] for _, of in columns]
        if found:
            lines.append(_row([arm, *(_whole(mean(values)) if values else "-" for values in known)]))
    return "What it took, mean over the seeds:\n\n" + "\n".join(lines)


def curves(study: Study, done: Sequence[Done]) -> str:
    """Charts in one SVG file: each measure over time, if that is what trainings have been given, and over clips."""
    def line(arm: str, colour: str, dashed: bool, measure: str, along: str) -> Line:
        points = []
        for share in study.moments:
            at = [m for one in done if one.arm == arm for m in one.facts["moments"]
                  if m["share"] == share and m["values"] and measure in m["values"]]
            if at:
                x = share * (study.minutes or 0) if along == "minutes" else mean(m["clips"] for m in at) / 1000
                points.append((x, mean(m["values"][measure]["value"] for m in at)))
        return Line(arm, colour, points, dashed)

    def charted(measure: str, along: str) -> str:
        lines = [line(arm, colour, dashed, measure, along) for arm, colour, dashed in arms]
        ends = [x for one in lines for x, _ in one.points]
        floor = next((one.result.values[measure]["floor"] for one in done
                      if one.result and measure in one.result.values), None)
        if ends and floor is not None:
            lines.append(Line(FLOOR, GREY, [(0.0, floor), (max(ends), floor)], dashed=True))
        return chart(label(measure), along, lines)

    # With more arms than colours the colours come again, dashed.
    arms = [(arm, COLOURS[place % len(COLOURS)], place >= len(COLOURS)) for place, arm in enumerate(study.arms)
            if arm in {one.arm for one in done}]
    drawn = [charted(measure, along) for measure in CURVES
             for along in (("minutes", "kimg") if study.minutes else ("kimg",))]
    if not any(drawn):
        return ""
    arms.append((FLOOR, GREY, True))
    rows, beside = -(-len(drawn) // 2), (2 * WIDTH - 16) // NAME_WIDTH
    head = 10 + 20 * -(-len(arms) // beside)
    size = f"0 0 {2 * WIDTH} {rows * HEIGHT + head}"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}"><style>{STYLE}</style>'
             '<rect width="100%" height="100%" fill="#fff"/>']
    for place, one in enumerate(drawn):
        at = f'<svg x="{place % 2 * WIDTH}" y="{place // 2 * HEIGHT + head}" width="{WIDTH}" height="{HEIGHT}" '
        parts.append(one.replace("<svg ", at, 1))
    for place, (arm, colour, dashed) in enumerate(arms):
        x, y = 16 + NAME_WIDTH * (place % beside), 15 + 20 * (place // beside)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 14}" y2="{y}" stroke="{colour}" stroke-width="4"{dash}/>'
                     f'<text x="{x + 19}" y="{y + 4}">{arm}</text>')
    return "".join([*parts, "</svg>"])


def sheets(study: Study, done: Sequence[Done], out: Path, beside: Path) -> str:
    """The first seed's last sheets of fixed latents side by side, enlarged; a row is a clip."""
    from PIL import Image

    arms, seed = [], study.seeds[0]
    for arm in ("reals", *study.arms):
        path = out / "samples" / (f"{arm}.png" if arm == "reals" else f"{arm}-{seed}.png")
        if not path.is_file():
            continue
        target = out / "samples" / f"{path.stem}-large.png"
        with Image.open(path) as sheet:
            sheet.resize((LARGER * sheet.width, LARGER * sheet.height), Image.Resampling.NEAREST).save(target)
        arms.append((arm, _relative(target, beside)))
    if not arms:
        return ""
    lines = [[arm for arm, _ in arms], ["---"] * len(arms), [f"![{arm}]({path})" for arm, path in arms]]
    return (f"The last samples of seed {seed}, its first latents, a clip a row:\n\n" + "\n".join(map(_row, lines)))


def _relative(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else figure(value)
