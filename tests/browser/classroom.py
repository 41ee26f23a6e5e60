"""A classroom at lessons 1 to 3: python -m tests.browser.classroom [--browsers 30] [--seconds 60]

Each simulated browser opens the page with all its scripts, and then does what a student's does, one thing after another
with a while to look in between: another pair of clouds (the exact distance), a stage's fade of another seed, another
time of the recorded runs, another critic. What the lessons compute in the browser itself costs a studio nothing. Says
how many requests failed, and how long they took.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx

from pvswgan.checkpoint import ASSETS
from tests.browser import studio_at

SCRIPT = re.compile(r"studio/static/[\w.]+\.(?:js|css)\?v=\w+")
LOOKS_S = (0.5, 3.0)  # between two things that a student does
LEAST = 2  # things that each does, however long the page took


class Classroom:
    """times: {what: [seconds]} of the requests that succeeded; errors: sentences."""

    def __init__(self, url: str, browsers: int, seconds: float) -> None:
        self.url, self.browsers, self.until = url, browsers, time.monotonic() + seconds
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._student(random.Random(seed)) for seed in range(self.browsers)))

    async def _student(self, chance: random.Random) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            page = await self._ask(client, "page", "GET", "/?tab=learn")
            for script in sorted(set(SCRIPT.findall(page))):
                await self._ask(client, "script", "GET", f"/{script}")
            things = 0
            while time.monotonic() < self.until or things < LEAST:
                things += 1
                await asyncio.sleep(chance.uniform(*LOOKS_S))
                await chance.choice([self._slices, self._growing, self._slices])(client, chance)

    async def _slices(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        """Lessons 1 and 3: other clouds."""
        a, b = ([[chance.uniform(-1, 1), chance.uniform(-1, 1)] for _ in range(60)] for _ in range(2))
        await self._ask(client, "exact distance", "POST", "/api/learn/exact", {"a": a, "b": b})

    async def _growing(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        """Lesson 2: another latent in a fade, another real clip, another time."""
        seed, at = chance.randrange(10000), chance.randrange(12)
        await self._ask(client, "fade", "GET", f"/api/learn/growing/fade?fade={chance.randrange(2)}&seed={seed}")
        await self._ask(client, "real clip", "GET", f"/api/learn/growing/real?seed={seed}")
        for of in ("growing", "fixed"):
            await self._ask(client, "recorded clips", "GET", f"/api/learn/growing/moment?of={of}&at={at}")

    async def _ask(self, client: httpx.AsyncClient, what: str, method: str, path: str, body: object = None) -> str:
        begin = time.perf_counter()
        try:
            answer = await client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.errors.append(f"{path}: {error!r}")
            return ""
        if answer.status_code != 200:
            self.errors.append(f"{path}: {answer.status_code}")
        else:
            self.times[what].append(time.perf_counter() - begin)
        return answer.text if what == "page" else ""

    def report(self) -> str:
        """A line for each kind of request."""
        asked = sum(map(len, self.times.values())) + len(self.errors)
        lines = [f"{self.browsers} browsers, {asked} requests, {len(self.errors)} errors"]
        for what, seconds in self.times.items():
            late = sorted(seconds)[int(0.95 * (len(seconds) - 1))]
            lines.append(f"  {what:16}{len(seconds):6}   p50 {1000 * statistics.median(seconds):7.1f} ms   "
                         f"p95 {1000 * late:7.1f} ms")
        return "\n".join([*lines, *self.errors[:5]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browsers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs, studio_at(runs=Path(runs), assets=ASSETS, read_only=True) as url:
        classroom = Classroom(url, wish.browsers, wish.seconds)
        asyncio.run(classroom.run())
        print(classroom.report())


if __name__ == "__main__":
    main()
