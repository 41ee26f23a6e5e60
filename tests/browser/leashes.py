"""What becomes of generated points that follow a critic, by its leash: python -m tests.browser.leashes

The figures on the critic's lesson: two pairs of clouds, two seeds each, 600 moves, in the page itself. Says how much of
the clouds' sliced distance is left, each try.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser import chromium, studio_at
from tests.browser.learn_page import open_lesson

TRIES = [("moons", 1), ("ring", 2), ("moons", 3), ("ring", 4)]
LEASHES = [("none", 1), ("clip", 1), ("swgan", 0.1), ("swgan", 1), ("gp", 0.01), ("gp", 1)]
RESTS = "!pvs.learnCritic.busy && pvs.learnCritic.path.length === 600"


def main() -> None:
    with tempfile.TemporaryDirectory() as runs, studio_at(runs=Path(runs)) as url, chromium() as browser:
        page = browser.new_page()
        open_lesson(page, url, "critic")
        for each, leashes in ((1, LEASHES), (5, [("gp", 1)])):
            for leash, strength in leashes:
                left = []
                for shape, seed in TRIES:
                    state = {"a": shape, "b": "two blobs", "seed": seed, "leash": leash, "strength": strength,
                             "follow": True, "each": each, "steps": 600}
                    page.evaluate("(state) => pvs.learn.open.change(state)", state)
                    page.wait_for_function(RESTS, timeout=300000)
                    start, end = page.evaluate("pvs.learnCritic.sliced")
                    left.append(f"{100 * end / start:.0f} %")
                print(f"{leash} x {strength}, {each} critic steps a move: {', '.join(left)} left", flush=True)


if __name__ == "__main__":
    main()
