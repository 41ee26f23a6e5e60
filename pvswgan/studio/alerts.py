"""What may be going wrong in a training, each with the evidence: read from its run folder, nothing is computed twice.

An alert is a sentence, the numbers that it rests on, and where on the page they can be seen. The rules are plain and
slow to cry: they compare a run with its own past and with the real clips beside it, wait for a second snapshot to say
the same, and leave a run alone that is still learning its first stage.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pvswgan.growth import GrowthPlan
from pvswgan.studio import machine, train_watch
from pvswgan.studio.sheet_measures import Measures, of_sheet
from train.run import RunFolder, Sample

log = logging.getLogger(__name__)

# Samples: shares of what the real clips of the same stage show.
LOOKED_AT = 12  # newest snapshots
COLLAPSED = 0.2  # less diverse than this is hardly more than one clip
FELL_TO = 0.4  # of the greatest diversity before, where that was GOOD at least
GOOD = 0.5
FROZEN = 0.15  # less frame-to-frame change than this is a still picture
FLICKERS = 4.0  # so many times the frame-to-frame change of real clips is none of theirs
LESS = 0.8  # of what it was before in the stage: it is on its way down
BEFORE = 3  # snapshots of a stage to say what it was
STILL = 0.5  # grey levels: real clips that change less hold no motion to miss

# Statistics: medians of RECENT ticks against those before them in the same stage.
TAIL_BYTES = 400_000
RECENT, EARLIER = 8, 16
JUDGED = ("distance", "grad_norm_G")
DRIFTED = 2.0
VANISHED = 0.1
RAN_AWAY = 10.0  # so many times what a stage began with, of scores and gradients both; healthy: test_alerts.py

# Disk: room for fewer snapshots than this, or less than so many bytes.
SNAPSHOTS_LEFT = 5
LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Alert:
    """`numbers`: pairs of a name and a value, both to be read. `shown`: places on the page, each {"label"} with
    {"snapshot": clips}, {"curves": panel ids, "from", "to" in kimg}, or {"part": "log" or "machine"}."""

    kind: str
    sentence: str
    numbers: list[tuple[str, str]]
    shown: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """A snapshot's measures, as shares of the real clips' at the same size; None where those say nothing."""

    clips: int
    diversity: float | None
    motion: float | None


def of_run(run: RunFolder) -> list[dict[str, Any]]:
    """All alerts of a run, the gravest first, as JSON."""
    plan = train_watch.plan_of(run.config())
    found = of_training(run.status() or {}, last_rows(run.path / "stats.jsonl"), looks_of(run.samples()), plan)
    if train_watch.state_of(run)[0] in ("starting", "running", "paused"):
        found.append(disk_full(machine.disk(run), snapshot_bytes(run)))
    return [asdict(alert) for alert in found if alert]


def of_training(status: dict[str, Any], rows: Sequence[dict[str, Any]], looks: Sequence[Look],
                plan: GrowthPlan | None) -> list[Alert | None]:
    """What each rule says of a training, the gravest first; a part of it may be given, as it stood at some time."""
    return [not_finite(status, rows), collapse(looks, plan), frozen(looks, plan), flicker(looks, plan),
            critic_too_strong(rows), critic_runs_away(rows, plan)]


class Marks:
    """The gravest alert of every run, for the list: a run that nobody looks at may go wrong too. Looked for beside, one
    run at a time, so that the list never waits for sheets to be measured."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Hashable, dict[str, str] | None]] = {}    # the longest ago first
        self._looking = threading.Lock()

    def of(self, runs: Sequence[RunFolder]) -> list[dict[str, str] | None]:
        """{"kind", "sentence"} of each run, as it was when last looked at; None where nothing is known to be wrong."""
        changed = [run for run in runs if self._known.get(run.path, (None,))[0] != _stand(run)]
        if changed and self._looking.acquire(blocking=False):
            turns = {path: place for place, path in enumerate(self._known)}     # a run at work changes every second
            first = min(changed, key=lambda run: turns.get(run.path, -1))
            threading.Thread(target=self._look, args=(first,), daemon=True).start()
        return [self._known.get(run.path, (None, None))[1] for run in runs]

    def _look(self, run: RunFolder) -> None:
        stand, found = _stand(run), []
        try:
            found = of_run(run)
        except (OSError, ValueError, KeyError, TypeError) as error:  # in the trash, or not a run's files
            log.warning("what may be wrong with %s could not be read: %s", run.path, error)
        finally:
            self._known.pop(run.path, None)
            self._known[run.path] = stand, {key: found[0][key] for key in ("kind", "sentence")} if found else None
            self._looking.release()


def _stand(run: RunFolder) -> Hashable:
    """Another one where there may be something new to be said of the run."""
    try:
        return tuple((run.path / name).stat().st_mtime_ns for name in ("status.json", "stats.jsonl"))
    except OSError:
        return None, None


# ---- the rules ----------------------------------------------------------------------------------------------------


def not_finite(status: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Alert | None:
    """A loss or a gradient that is no number: in the trainer's last word, or in a line of the statistics."""
    keys = ("loss_G", "loss_D", "grad_norm_G", "grad_norm_D")
    bad = next((row for row in reversed(rows) if any(key in row and row[key] is None for key in keys)), None)
    error = str(status.get("error") or "")
    said = status.get("state") == "failed" and ("not finite" in error or "not a number" in error)
    if not bad and not said:
        return None
    good = next((row for row in reversed(rows) if all(isinstance(row.get(key), (int, float)) for key in keys)), None)
    at = (bad or good or status).get("clips") or status.get("clips") or 0
    numbers = [("seen at", kimg(at))]
    if good:
        numbers += [("last finite at", kimg(good["clips"]))] + [(NAMES[key], f"{good[key]:.3g}") for key in keys]
    if status.get("snapshot") is not None:
        numbers.append(("last checkpoint", kimg(status["snapshot"])))
    before = rows[-min(len(rows), 3 * RECENT)]["clips"] if rows else at
    shown = [curves("The last losses", ["losses", "gradients"], before, at)] if rows else []
    return Alert("nan", "A loss or a gradient is not a number any more: the training cannot go on from here. A lower "
                 "learning rate or a stronger gradient penalty may help; resume goes back to the last checkpoint.",
                 numbers, [*shown, {"label": "The log", "part": "log"}])


def collapse(looks: Sequence[Look], plan: GrowthPlan | None) -> Alert | None:
    """Diversity of the pinned samples fell: to hardly any, or far below what it was."""
    young = young_until(plan)
    # What the random weights show at first is no achievement to fall from.
    seen = [(look.clips, look.diversity) for look in looks if look.diversity is not None and look.clips >= young / 4]
    if len(seen) < 2:
        return None
    newest, best = seen[-1], max(seen[:-2] or seen[:1], key=lambda pair: pair[1])
    low = max(share for _, share in seen[-2:])
    fell = best[1] >= GOOD and low < FELL_TO * min(best[1], 1.0)
    if not fell and not (low < COLLAPSED and seen[-2][0] > young):
        return None
    numbers = [(f"diversity at {kimg(at)}", f"{share:.0%} of the real clips’") for at, share in (best, *seen[-2:])]
    return Alert("collapse", "The samples grow alike: the generator may have collapsed to a few clips.",
                 unique(numbers), unique([snapshot("The newest", newest[0]), snapshot("The most diverse", best[0])]))


def frozen(looks: Sequence[Look], plan: GrowthPlan | None) -> Alert | None:
    """The pinned samples hardly change from frame to frame, where the real clips do."""
    young = young_until(plan)  # it has not learned to move yet, or flickers like the random weights that it began with
    seen = [(look.clips, look.motion) for look in looks if look.motion is not None and look.clips > young]
    if len(seen) < 2 or max(share for _, share in seen[-2:]) >= FROZEN:
        return None
    best = max(seen, key=lambda pair: pair[1])
    numbers = [(f"motion at {kimg(at)}", f"{share:.0%} of the real clips’") for at, share in (best, *seen[-2:])]
    shown = [snapshot("The newest", seen[-1][0])] + [snapshot("The liveliest", best[0])] * (best[1] >= GOOD)
    return Alert("frozen", "The samples hardly move: their frames change far less than those of the real clips.",
                 unique(numbers), unique(shown))


def flicker(looks: Sequence[Look], plan: GrowthPlan | None) -> Alert | None:
    """The pinned samples change from frame to frame many times as much as the real clips, and no longer less than they
    did before: a stage that is new flickers, and learns not to."""
    if plan is None or not looks:
        return None
    young, stage = young_until(plan), plan.at(looks[-1].clips).stage
    seen = [(look.clips, look.motion) for look in looks if look.motion is not None and look.clips > young
            and plan.at(look.clips).stage == stage and plan.at(look.clips).phase != "fade"]
    if len(seen) < BEFORE + 2:
        return None
    before, newest = median(share for _, share in seen[:-2]), min(share for _, share in seen[-2:])
    if newest < FLICKERS or newest < LESS * before:
        return None
    told = (seen[0], *seen[-2:])
    numbers = [(f"motion at {kimg(at)}", f"{share:.1f} times the real clips’") for at, share in told]
    return Alert("flicker", "The samples flicker: from frame to frame they change far more than the real clips, and "
                 "it is not getting less.", numbers, [snapshot("The newest", seen[-1][0])])


def critic_too_strong(rows: Sequence[dict[str, Any]]) -> Alert | None:
    """Within a stage the critic's scores of real and generated drift apart while the generator's gradient vanishes:
    the medians of the last ticks, against those of the ticks before. Either alone is common and harmless."""
    here = _judged(rows)
    before, now = here[:-RECENT][-3 * EARLIER:], here[-RECENT:]
    if len(before) < EARLIER:
        return None
    distance, pull = ([median(row[key] for row in part) for part in (before, now)] for key in JUDGED)
    if not (distance[1] > 0 and distance[1] > DRIFTED * abs(distance[0]) and pull[1] < VANISHED * pull[0]):
        return None
    return Alert("critic", "The critic is too strong: it tells real from generated ever more surely, and the generator "
                 "has hardly any gradient left to learn from.", *_evidence(before, now, distance, pull))


def critic_runs_away(rows: Sequence[dict[str, Any]], plan: GrowthPlan | None) -> Alert | None:
    """Within a stage both the critic's scores and the generator's gradient have grown many times over since it began:
    a critic whose slope is held near 1 cannot do that. The first stage, where both begin near 0, is left alone."""
    young = young_until(plan)
    here = [row for row in _judged(rows) if row["clips"] > young]
    before, now = here[:-RECENT][:EARLIER], here[-RECENT:]
    if len(before) < EARLIER:
        return None
    distance, pull = ([median(abs(row[key]) for row in part) for part in (before, now)] for key in JUDGED)
    if not all(later > RAN_AWAY * earlier > 0 for earlier, later in (distance, pull)):
        return None
    return Alert("runaway", "The critic runs away: its scores and its gradients have grown many times over, as if "
                 "nothing held it. A stronger gradient penalty, or a lower learning rate, may help.",
                 *_evidence(before, now, distance, pull))


def _judged(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ticks of the last stage, faded in, that tell of the critic."""
    stage = rows[-1].get("stage") if rows else None
    return [row for row in rows if row.get("stage") == stage and row.get("phase") != "fade"
            and all(isinstance(row.get(key), (int, float)) for key in JUDGED)]


def _evidence(before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]], distance: Sequence[float],
              pull: Sequence[float]) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """An alert's numbers, medians before and now, and where they show."""
    spans = [f"{kimg(rows[0]['clips'])} to {kimg(rows[-1]['clips'])}" for rows in (before, now)]
    changed = [(name, f"{earlier:.3g} → {later:.3g}") for name, (earlier, later) in
               (("distance of the scores", distance), ("generator’s gradient", pull))]
    return ([*changed, ("medians of", " → ".join(spans))],
            [curves("The curves", ["scores", "distance", "gradients"], before[0]["clips"], now[-1]["clips"])])


def disk_full(disk: dict[str, Any], snapshot_size: int) -> Alert | None:
    """Little room is left for what the training writes next."""
    free = disk["disk_free"]
    if free is None or free >= max(LEAST_FREE, SNAPSHOTS_LEFT * snapshot_size):
        return None
    numbers = [("free", mib(free)), ("of", mib(disk["disk_total"]))]
    if snapshot_size:
        numbers += [("a snapshot takes", mib(snapshot_size)), ("room for about", f"{free // snapshot_size} more")]
    return Alert("disk", "The disk with the runs is nearly full: a training that cannot write its checkpoint fails. "
                 "Empty the trash, or delete runs that are not needed.", numbers,
                 [{"label": "The machine", "part": "machine"}])


# ---- what they look at ----------------------------------------------------------------------------------------------


def looks_of(samples: Sequence[Sample]) -> list[Look]:
    """The newest snapshots' measures (LOOKED_AT), oldest first, each against the real clips of its size."""
    reals = {(s.frames, s.resolution): s for s in samples if s.clips < 0}
    found = []
    for sample in [s for s in samples if s.clips >= 0][-LOOKED_AT:]:
        real = reals.get((sample.frames, sample.resolution))
        own, other = of_sheet(sample.path, sample.resolution), real and of_sheet(real.path, real.resolution)
        if own and other:
            found.append(_look(sample, own, other))
    return found


def _look(sample: Sample, own: Measures, real: Measures) -> Look:
    moves = sample.frames > 1 and real.motion >= STILL
    return Look(sample.clips, own.diversity / real.diversity if real.diversity > 0 else None,
                own.motion / real.motion if moves else None)


def last_rows(path: Path) -> list[dict[str, Any]]:
    """The newest lines of a run's statistics (ticks, not events), oldest first; what a resume undid is left out."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = json.loads(line)
            clips = int(row["clips"])
        except (ValueError, KeyError, TypeError):
            continue  # cut in two
        while rows and rows[-1]["clips"] > clips:
            rows.pop()
        if "event" not in row:
            rows.append({key: train_watch.finite(value) for key, value in row.items()})
    return rows


def young_until(plan: GrowthPlan | None) -> float:
    """Clips until which a run learns its first stage; of a single stage the first half. Never over without a plan."""
    if plan is None:
        return float("inf")
    return plan.start(1) if len(plan.stages) > 1 else plan.total / 2


def snapshot_bytes(run: RunFolder) -> int:
    """Bytes of the newest checkpoint, both its files; 0 where there is none."""
    newest = sorted((run.path / "checkpoints").glob("*-training.safetensors"))[-1:]
    files = [other for path in newest for other in path.parent.glob(f"{path.name.partition('-')[0]}-*.safetensors")]
    try:
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


# ---- words ----------------------------------------------------------------------------------------------------------

NAMES = {"loss_G": "generator’s loss", "loss_D": "critic’s loss", "grad_norm_G": "generator’s gradient",
         "grad_norm_D": "critic’s gradient"}


def kimg(clips: float) -> str:
    return f"{clips / 1000:.4g} kimg"


def mib(number: float) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"


def snapshot(label: str, clips: int) -> dict[str, Any]:
    return {"label": f"{label}, {kimg(clips)}", "snapshot": clips}


def curves(label: str, panels: list[str], start: float, end: float) -> dict[str, Any]:
    return {"label": label, "curves": panels, "from": start / 1000, "to": end / 1000}


def unique(things: list[Any]) -> list[Any]:
    return [thing for place, thing in enumerate(things) if thing not in things[:place]]
