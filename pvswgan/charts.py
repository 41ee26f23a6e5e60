"""Line charts as static SVG, for a report that opens anywhere: no script, and everything inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 26, 34


@dataclass(frozen=True)
class Line:
    """points: (x, y), in order of x. dashed: the second kind of line in one chart."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def chart(title: str, across: str, lines: Sequence[Line]) -> str:
    """An <svg> of the lines over linear axes; "" where there is not a point."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    xs, ys = ticks(0.0, max(x for x, _ in points)), ticks(min(y for _, y in points), max(y for _, y in points))
    at_x, at_y = _scale(xs, LEFT, WIDTH - RIGHT), _scale(ys, HEIGHT - BOTTOM, TOP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
             f'<text x="{LEFT}" y="15" class="title">{escape(title)}</text>',
             f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(across)}</text>']
    for y in ys:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}" class="grid"/>'
                     f'<text x="{LEFT - 6}" y="{at_y(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>')
    for x in xs:
        parts.append(f'<text x="{at_x(x):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{x:.6g}</text>')
    for line in lines:
        drawn = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line.points)
        dashes = ' stroke-dasharray="5 3"' if line.dashed else ""
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{line.colour}" stroke-width="1.8"{dashes}>'
                     f"<title>{escape(line.name)}</title></polyline>")
        parts += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="2.5" fill="{line.colour}"/>'
                  for x, y in line.points if len(line.points) < 3]
    return "".join(parts) + "</svg>"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that reach over low..high, near `about` of them."""
    spread = (high - low) or abs(high) or 1.0
    size = 10 ** math.floor(math.log10(spread / about))
    step = next(size * n for n in (1, 2, 5, 10) if spread / (size * n) <= about)
    first, last = math.floor(low / step), math.ceil((low + spread if high == low else high) / step)
    return [step * n for n in range(first, last + 1)]


def _scale(marks: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    low, high = marks[0], marks[-1]
    return lambda value: start + (value - low) / (high - low) * (end - start)
