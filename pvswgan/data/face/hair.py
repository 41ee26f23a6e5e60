"""Hair: what is behind the head and the cap over the brow; a bald head gets its back from here too.

As in features.py, every patch must hold all that its shapes touch.
"""

from __future__ import annotations

import numpy as np

from pvswgan.data.drawing import Array, Canvas, Patch, Value, below, clamp, ellipse, outline, positive, steepness
from pvswgan.data.face.model import WHITE, Face, Style, mix, tone


def behind(canvas: Canvas, face: Face) -> None:
    """The back of the head, which moves against the turn, and the hair that falls from it."""
    head, style = face.head, face.style
    x = head.x - 0.14 * head.width * head.turn_sin
    middle = head.y - (0.12 + 0.10 * head.nod_sin) * head.height
    wide, rise = head.width * style.width, head.height * (style.rise - 0.12)
    round_end = 0.22 * style.end * head.height + 0.06
    end = middle + style.end * head.height
    reach = wide * (1.12 + 1.5 * style.flare)
    if style.bun:
        radius = style.bun * head.width
        _knot(canvas, face, x, middle - rise - 0.45 * radius, radius)
    with canvas.patch(x - reach, x + reach, middle - rise * 1.15, end + 0.02, once=True) as area:
        u, v = (area.x - x) / wide, (area.y - middle) / rise
        up, low = np.minimum(v, 0), np.maximum(area.y - (end - round_end), 0) / round_end
        narrow = 1 / (1 + style.flare * np.maximum(v, 0)) ** 2
        across, down = u * u - _ripple(u, style.wave), up * up + low * low
        if style.wave[0] > 0:  # curls go down the sides too
            down = down - _ripple(v, style.wave)
        cover = outline(area, across, narrow, down, wide)
        if not face.who.hair_style:  # bald: the back of the head is skin, in the same light as the face
            area.blend(cover, face.skin.shaded(*head.shade(area)))
        else:
            area.blend(cover, face.hair.shaded(0.3 * head.light * u - 0.45 * u * u, -0.25 - 0.25 * v))


def _knot(canvas: Canvas, face: Face, x: Array, y: Array, radius: float) -> None:
    with canvas.patch(x - radius, x + radius, y - radius, y + radius, once=True) as area:
        u, v = (area.x - x) / radius, (area.y - y) / radius
        colour = face.hair.shaded(0.35 * face.head.light * u - 0.4 * u * u, -0.3 * v - 0.3 * v * v)
        area.blend(ellipse(area, x, y, radius, radius), colour)


def _ripple(position: Array, wave: tuple[float, float]) -> Value:
    """A row of curls or spikes for an outline; parabolas, as sines are not exactly rounded."""
    depth, number = wave
    if not depth:
        return 0.0
    part = (position * number + 0.5) % 1
    bumps = 4 * part * (1 - part)  # round tops between cusps; upside down the cusps stick out
    return depth * bumps if depth > 0 else -depth * (1 - bumps)


def front(canvas: Canvas, face: Face) -> None:
    """The cap of hair over the brow, cut off by the hairline, with its shadow and a band of gloss."""
    head, style = face.head, face.style
    if not face.who.hair_style:
        return
    x = head.x - 0.02 * head.width * head.turn_sin
    middle = head.y - 0.12 * head.height
    wide, rise = 1.06 * head.width, head.height * (style.rise - 0.12)
    lowest = float(_hairline(style, 1, np.array(style.side))[0]) + 0.45
    reach, end = 1.12 * wide, head.y + head.height * lowest
    with canvas.patch(x - reach, x + reach, middle - 1.15 * rise, end) as area:
        u, v = (area.x - x) / wide, (area.y - middle) / rise
        up = np.minimum(v, 0)
        cap = outline(area, u * u - _ripple(u, style.wave), 1.0, up * up, wide)
        brow = (area.x - head.at(0, 0, 0.75)[0]) / head.width
        # hair is parted towards the light, so that it shows
        drop, slope = _hairline(style, 1 if head.light > 0 else -1, brow)
        line = head.y + head.height * (drop * head.nod_cos + 0.6 * head.nod_sin)
        slope = slope * (head.height / head.width)
        shadow = cap - cap * below(area, line + 0.03, steepness(slope, max(0.10, area.pixel)))
        shadow *= clamp(2.5 - 2.5 * np.abs(brow))
        area.blend(0.5 * shadow, face.skin.base - 1.1 * face.skin.gain)
        cap -= cap * below(area, line, steepness(slope, area.pixel))
        area.blend(cap, face.hair.shaded(0.3 * head.light * u - 0.4 * u * u + 0.05, -0.3 * v - 0.30))
        _gloss(area, face, cap, u, v)


def _hairline(style: Style, lean: int, u: Array) -> tuple[Array, Array]:
    """Height of the hairline over the brow, in half face heights below the middle, and its slope."""
    start, tilt, parting, sides = style.line
    inside = np.abs(u) < style.side
    u = np.minimum(np.maximum(u, -style.side), style.side)
    height = start + lean * tilt * u + parting * np.abs(u) + sides * u * u * u * u
    return height, (lean * tilt + parting * np.sign(u) + 4 * sides * u * u * u) * inside


def _gloss(area: Patch, face: Face, cover: Array, u: Array, v: Array) -> None:
    band = (v + 0.62) * 5 - 1.6 * u * u
    band *= band
    weight = positive(1 - band - (u - 0.35 * face.head.light) ** 2 * 2.2)
    weight *= cover
    area.blend(0.5 * weight, mix(face.hair.base, tone(WHITE), 0.5))
