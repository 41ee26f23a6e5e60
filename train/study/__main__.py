"""python -m train.study configs/study.yaml [--only ARM ...] [--report]: train, measure, and write docs/RESULTS.md.

Stopped (Ctrl-C) or cut off, the same command goes on. Needs what the studio needs, not only what a training does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pvswgan.data.format import DataError
from train.clips import store_of
from train.config import ConfigError
from train.run import RunError
from train.study import plan, report
from train.study.runs import Stopped, go, result_path

ROOT = Path(__file__).parents[2]
console = Console(markup=False, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(study: Annotated[Path, typer.Argument(help="such as configs/study.yaml")],
         only: Annotated[list[str] | None, typer.Option(help="these arms only")] = None,
         seeds: Annotated[list[int] | None, typer.Option(help="these seeds only")] = None,
         work: Annotated[Path | None, typer.Option(help="folder of the run folders; default runs/study-NAME")] = None,
         out: Annotated[Path | None, typer.Option(help="folder of results; default docs/study/NAME")] = None,
         results: Annotated[Path, typer.Option(help="the page that tells of them")] = ROOT / "docs" / "RESULTS.md",
         report_only: Annotated[bool, typer.Option("--report", help="train nothing: write the page again")] = False,
         ) -> None:
    """Train what has no result yet, measure it, and write the page."""
    try:
        wanted = plan.load(study)
        chosen = _chosen(plan.trainings(wanted), only, seeds)
        out = out or ROOT / "docs" / "study" / wanted.name
        if not report_only:
            _train(wanted, chosen, work or Path("runs") / f"study-{wanted.name}", out)
        report.write(wanted, f"python -m train.study {study}", out, results)
        console.print(f"{results}: {sum(result_path(out, one).is_file() for one in plan.trainings(wanted))} of "
                      f"{len(plan.trainings(wanted))} trainings have a result")
    except (ConfigError, DataError, RunError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    except Stopped:
        print(f"stopped; go on with: python -m train.study {study}", file=sys.stderr)
        raise typer.Exit(130) from None


def _chosen(all_of_them: list[plan.Training], only: list[str] | None,
            seeds: list[int] | None) -> list[plan.Training]:
    arms, known = {one.arm for one in all_of_them}, {one.seed for one in all_of_them}
    if strange := set(only or ()) - arms:
        raise ConfigError(f"--only is {min(strange)}; allowed: {', '.join(sorted(arms))}")
    if unknown := set(seeds or ()) - known:
        raise ConfigError(f"--seeds is {min(unknown)}; allowed: {', '.join(map(str, sorted(known)))}")
    return [one for one in all_of_them if (not only or one.arm in only) and (not seeds or one.seed in seeds)]


def _train(study: plan.Study, chosen: list[plan.Training], work: Path, out: Path) -> None:
    if any(not result_path(out, one).is_file() for one in chosen):
        console.print("preparing the clips")
        for one in {one.config.data.model_dump_json(): one for one in chosen}.values():
            store_of(one.config)                             # once, and not by trainings that begin at once
    with console.status("") as status:
        go(study, chosen, work, out, console.print, status.update)


if __name__ == "__main__":
    app()
