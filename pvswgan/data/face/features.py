"""The parts of a face: ears, oval, cheeks, nose, eyes, brows, beard, mouth and glasses.

Every patch must hold all that its shapes touch: it is a box around the frames that are painted together, and
a frame must not depend on those.
"""

from __future__ import annotations

import numpy as np

from pvswgan.data.drawing import (
    Array,
    Canvas,
    Patch,
    below,
    between,
    clamp,
    ellipse,
    glow,
    outline,
    steepness,
)
from pvswgan.data.face.model import (
    DARK,
    EYES,
    FRAME,
    LID,
    LIP,
    MOUTH,
    TONGUE,
    WHITE,
    Face,
    mix,
    paint_of,
    tone,
)


def ears(canvas: Canvas, face: Face) -> None:
    """Seen on the side that the head turns away from; the face hides the other, and wide hair both.

    A true ear would slide over the face, in front of it; one that stays beside it looks right and needs no
    second drawing order.
    """
    head = face.head
    if face.style.width > 1.1:
        return
    rx, ry = 0.17 * head.width, 0.19 * head.height
    for side in (-1, 1):
        x = head.x + head.width * (0.98 * side - 0.03 * head.turn_sin)
        y = head.at(0, 0.08, 0.05)[1]
        with canvas.patch(x - rx, x + rx, y - ry, y + ry) as area:
            across, down = head.shade(area)
            area.blend(ellipse(area, x, y, rx, ry), face.skin.shaded(across, down))
            area.blend(0.7 * ellipse(area, x, y, 0.55 * rx, 0.6 * ry), face.skin.shaded(across - 0.5, down))


def oval(canvas: Canvas, face: Face) -> None:
    """The face itself: round above, tapering to a pointed or a square jaw."""
    head = face.head
    x = head.x + 0.14 * head.width * head.turn_sin
    with canvas.patch(x - head.width, x + head.width, head.y - head.height, head.y + head.height, once=True) as area:
        area.blend(_oval_cover(area, face, x, 1.0), face.skin.shaded(*head.shade(area)))


def _oval_cover(area: Patch, face: Face, x: Array, size: float) -> Array:
    width, height = size * face.head.width, size * face.head.height
    u, v = (area.x - x) / width, (area.y - face.head.y) / height
    low, jaw = np.maximum(v, 0), face.who.jaw
    half = 1 - (0.30 - 0.24 * jaw) * low * low
    square = v * v + (0.75 * jaw) * (low * low * low * low - low * low)
    return outline(area, u * u, 1 / (half * half), square, width)


def cheeks(canvas: Canvas, face: Face) -> None:
    head = face.head
    colour = tone(mix(face.skin.base[:, 0, 0, 0], LIP, 0.55))
    for side in (-1, 1):
        x, y = head.at(side * 0.58, 0.26, 0.75)
        rx, ry = 0.30 * head.width * head.narrowing(side * 0.7), 0.20 * head.height
        with canvas.patch(x - rx, x + rx, y - ry, y + ry, once=True) as area:
            area.blend(glow(area, x, y, rx, ry, 0.35 + 0.25 * face.smile), colour)


def nose(canvas: Canvas, face: Face) -> None:
    head, long = face.head, face.who.nose
    x, y = head.at(0, long, 1.25)
    wide, high = 0.15 * head.width, 0.085 * head.height
    bridge, top = head.at(0, 0.0, 1.0)
    dark, pale = face.skin.base - 0.9 * face.skin.gain, mix(face.skin.base, tone(WHITE), 0.3)
    # the side away from the light, the ridge, the tip, the shadow under it
    away = -0.10 * head.width * (head.light + 0.001)
    mid_x, mid_y, tall = (x + bridge) / 2, (y + top) / 2, 0.62 * long * head.height
    with canvas.patch(mid_x - 2 * wide, mid_x + 2 * wide, mid_y - tall * 1.4, y + 2 * high) as area:
        area.blend(glow(area, mid_x + away, mid_y, 1.3 * wide, tall * 1.3, 0.35), dark)
        area.blend(glow(area, mid_x, mid_y, 0.6 * wide, tall * 1.2, 0.55), pale)
    with canvas.patch(x - 1.5 * wide, x + 1.5 * wide, y - 2 * high, y + 2 * high) as area:
        area.blend(0.75 * ellipse(area, x, y + 0.30 * high, 1.15 * wide, 0.85 * high), dark)
        area.blend(ellipse(area, x, y - 0.05 * high, 1.10 * wide, 0.85 * high), face.skin.base)
        area.blend(glow(area, x - 0.5 * away, y - 0.3 * high, 0.8 * wide, 0.8 * high, 0.8), pale)


def eye(canvas: Canvas, face: Face, side: int) -> None:
    """White, iris, pupil and glint between two parabolic lids; the upper one comes down to blink."""
    head, who = face.head, face.who
    x, y = head.at(side * who.eye_gap, 0.0, 0.90)
    w = who.eye_size * head.width * head.narrowing(side * 0.45)
    h = 0.80 * who.eye_size * head.width * head.nod_cos
    with canvas.patch(x - 1.35 * w, x + 1.35 * w, y - 1.7 * h, y + 1.5 * h) as area:
        u = (area.x - x) / w
        arch = 1 - u * u
        steep = steepness(1.4 * u * (h / w), area.pixel)
        # a smile lifts the lower lid; the upper one comes down to it, not past
        low = 0.80 - 0.22 * face.smile
        lid, cheek = y + h * ((1 + low) * face.blink - 1) * arch, y + h * low * arch
        under_lid = below(area, lid, steep)
        hole = between(under_lid.copy(), below(area, cheek, steep))
        area.blend(glow(area, x, y - 0.1 * h, 1.35 * w, 1.6 * h, 0.40), face.skin.base - 0.8 * face.skin.gain)
        shadow = tone(LID) * np.maximum(0, (y - area.y) / h - 0.1)  # the upper lid's
        area.blend(hole, tone(WHITE * 0.97) - shadow)
        _iris(area, face, hole, x - 0.12 * w * head.turn_sin, y - 0.05 * h, w, h)
        lash = between(below(area, lid - 0.30 * h * (1 - 0.45 * u * u), steep), under_lid)
        lash *= clamp((1.12 - np.abs(u)) * (w / area.pixel) + 0.5)
        area.blend(lash, tone(DARK))


def _iris(area: Patch, face: Face, hole: Array, x: Array, y: Array, w: Array, h: Array) -> None:
    colour = EYES[face.who.eye_colour]
    rx, ry = 0.62 * w, 0.78 * h
    bright = tone(mix(colour, WHITE, 0.18)) + tone(mix(colour, WHITE, 0.5) - colour) * ((area.y - y) / ry)
    area.blend(hole * ellipse(area, x, y, rx, ry), tone(colour * 0.45))
    area.blend(hole * ellipse(area, x, y, 0.82 * rx, 0.82 * ry), bright)
    area.blend(hole * ellipse(area, x, y, 0.46 * rx, 0.46 * ry), tone(DARK * 0.6))
    spot_x, spot_y = x + 0.35 * rx * (1 if face.who.light > 0 else -1), y - 0.38 * ry
    area.blend(hole * ellipse(area, spot_x, spot_y, 0.30 * rx, 0.30 * ry), tone(WHITE))


def brow(canvas: Canvas, face: Face, side: int) -> None:
    """A tapering stroke; it lifts with the voice and the smile."""
    head, who = face.head, face.who
    x, y = head.at(side * (who.eye_gap + 0.02), -0.33, 0.92)
    y = y - head.height * (0.03 * face.talk + 0.03 * face.smile)
    w = 1.12 * who.eye_size * head.width * head.narrowing(side * 0.45)
    thick = who.brow * head.height
    with canvas.patch(x - w, x + w, y - 2 * thick, y + 3 * thick, once=True) as area:
        u = (area.x - x) / w
        curve = y + thick * (1.1 * u * u + 0.22 * side * u)
        steep = steepness(2.6 * u * (thick / w), area.pixel)
        half = thick * 0.55 * np.maximum(0, 1 - (0.5 + 0.35 * side * u) * u * u)
        cover = between(below(area, curve - half, steep), below(area, curve + half, steep))
        cover *= 0.92 * clamp((1 - np.abs(u)) * (w / area.pixel) + 0.5)
        area.blend(cover, 0.74 * face.hair.base)


def beard(canvas: Canvas, face: Face) -> None:
    """From under the nose to a little below the chin, rising to the ears; stubble is a thin coat of it."""
    head, full = face.head, face.who.beard == 2
    size = 1.05 if full else 1.0
    x = head.x + 0.14 * head.width * head.turn_sin
    middle, start = head.at(0, face.who.nose + 0.13, 0.9)
    reach = size * head.width
    with canvas.patch(x - reach, x + reach, start - head.height, head.y + 0.72, once=True) as area:
        u = (area.x - middle) / (head.width * head.turn_cos)
        u = np.minimum(np.maximum(u, -1), 1)
        line = start + head.height * (0.40 * u * u - 0.78 * u * u * u * u)
        # its upper edge is soft: this wide at any resolution
        soft = max(0.05 if full else 0.20, area.pixel)
        steep = steepness((0.8 * u - 3.12 * u * u * u) * (head.height / head.width), soft)
        cover = _oval_cover(area, face, x, size)
        cover *= below(area, line, steep)
        across, down = head.shade(area)
        if not full:
            cover *= 0.30
            across = across - 0.6
        area.blend(cover, face.hair.shaded(across - 0.35, 0.6 * down))


def mouth(canvas: Canvas, face: Face) -> None:
    """Lips around an opening between two parabolas; a smile widens it and lifts the corners."""
    head, who = face.head, face.who
    x, y = head.at(0, 0.56, 0.95)
    w = head.width * (0.36 + 0.13 * face.smile - 0.07 * face.talk) * head.narrowing(0)
    full = who.lips * head.height
    gape = head.height * (0.20 * face.talk + 0.06 * face.smile)
    bend = head.height * (0.13 * face.smile + 0.015)
    with canvas.patch(x - w, x + w, y - 0.22 * head.height, y + 0.46 * head.height) as area:
        u = (area.x - x) / w
        arch = np.maximum(1 - u * u, 0)
        middle = y + bend * (0.4 - u * u)
        steep = steepness(2 * u * (bend / w), area.pixel)
        upper, lower = middle - 0.25 * gape * arch, middle + gape * arch
        bow = full * arch * (0.62 + 0.30 * np.minimum(4 * np.abs(u), 1))
        over = below(area, upper, steep)
        lips = between(below(area, upper - bow, steep), below(area, lower + 1.1 * full * arch, steep))
        skin = face.skin.base[:, 0, 0, 0]
        colour = paint_of(mix(skin * 0.85, LIP, 0.62), 1)
        area.blend(lips, colour.shaded(0.15 * head.light * u, (area.y - y) / head.height * 1.5))
        hole = between(over.copy(), below(area, lower, steep))
        area.blend(hole, tone(MOUTH))
        tongue = ellipse(area, x, y + 0.3 * bend + 1.1 * gape, 0.6 * w, 0.55 * gape + 0.01)
        area.blend(hole * tongue, tone(TONGUE))
        edge = upper + np.minimum(0.45 * gape, 0.06 * head.height) * arch
        teeth = between(over, below(area, edge, steep))
        area.blend(np.minimum(teeth, hole), tone(WHITE * 0.97))
        # a closed mouth is a line, not nothing
        seam = between(below(area, upper - 0.010 * arch, steep), below(area, upper + 0.014 * arch, steep))
        area.blend(0.8 * seam, tone(mix(LIP * 0.45, skin * 0.3, 0.4)))


def glasses(canvas: Canvas, face: Face) -> None:
    """Two rims, round or nearly square, a bridge and a faint shine; they sit in front of the eyes."""
    head, who = face.head, face.who
    thick, frame = 0.022, tone(FRAME[face.who.glasses - 1])
    for side in (-1, 1):
        x, y = head.at(side * (who.eye_gap + 0.01), 0.02, 0.98)
        w, h = 0.40 * head.width * head.narrowing(side * 0.42), 0.40 * head.width
        with canvas.patch(x - w - thick, x + w + thick, y - h - thick, y + h + thick) as area:
            u, v = ((area.x - x) / w) ** 2, ((area.y - y) / h) ** 2
            power = 1 if who.glasses == 1 else 2
            # distance from the rim's middle line, in pixels, by the gradient of the level at the edge
            scale = h / (2 * power * area.pixel)
            if power == 2:
                u, v = u * u, v * v
            away = (u - 1) * scale + v * scale
            area.blend(0.12 * clamp(0.5 - away), tone(WHITE))
            rim = thick / (2 * area.pixel)
            area.blend(between(clamp(away + (rim + 0.5)), clamp(away + (0.5 - rim))), frame)
    x, y = head.at(0, -0.03, 1.05)
    w = 0.09 * head.width * head.turn_cos
    with canvas.patch(x - w, x + w, y - 0.05, y + 0.05, once=True) as area:
        u = (area.x - x) / w
        arch, steep = y - 0.012 * (1 - u * u), steepness(0.024 / w * u, area.pixel)
        cover = between(below(area, arch - thick / 2, steep), below(area, arch + thick / 2, steep))
        area.blend(cover * clamp((1 - np.abs(u)) * (w / area.pixel) + 0.5), frame)
