"""A point in a model's latent space as the page names it, and the requests for clips at such points."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Id = Annotated[str, Field(max_length=300)]
DIRECTION = r"^((pca(-[a-z]{1,20})?|sefa):\d{1,4}|own:[A-Za-z0-9_-]{1,40})$"  # pca-content: of that part of a latent
DirectionId = Annotated[str, Field(pattern=DIRECTION)]
Steps = Annotated[float, Field(ge=-6, le=6, allow_inf_nan=False)]
PartName = Annotated[str, Field(pattern=r"^[a-z]{1,20}$")]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
# (seed, latent, truncation, ((direction, steps), ...), of, ((part, seed), ...)): what is rendered, and the key of the
# caches.
Place = tuple[int, str | None, float, tuple[tuple[str, float], ...], str | None, tuple[tuple[str, int], ...]]


class Point(BaseModel):
    """A latent: that of a seed, or a kept one, moved along directions of the model.

    seed        0 to 2^31 - 1
    latent      id of a kept latent, which takes the seed's place
    parts       {part of the latent: seed that it is of}, see Model.parts; what is not named is as above
    truncation  0 to 1, see Model.generate
    moves       {direction: steps in standard deviations, -6 to 6}, at most 32 of them
    of          the model whose directions those are, as when a run's checkpoints are gone through with the latent held;
                null: the model itself
    """

    seed: Seed = 0
    parts: dict[PartName, Seed] = Field(default_factory=dict, max_length=4)
    latent: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    truncation: float = Field(default=1.0, ge=0.0, le=1.0, allow_inf_nan=False)
    moves: dict[DirectionId, Steps] = Field(default_factory=dict, max_length=32)
    of: Id | None = None

    def quantised(self) -> Place:
        """The place in steps of 1/1000; moves in the order of their names, without those of nothing."""
        moves = {id: round(steps, 3) for id, steps in self.moves.items()}
        moved = tuple(sorted(m for m in moves.items() if m[1]))
        seed = 0 if self.latent else self.seed
        parts = tuple(sorted(p for p in self.parts.items() if self.latent or p[1] != seed))
        return seed, self.latent, round(self.truncation, 3), moved, self.of if moved else None, parts


class ClipRequest(Point):
    """The clip of a model at this point."""

    model: Id


class RowsRequest(BaseModel):
    """A clip for each of these points, in one sheet."""

    model: Id
    points: list[Point] = Field(min_length=1, max_length=64)


class WalkRequest(BaseModel):
    """Clips on the looping walk through keyframes: at 2.25, a quarter of the way from keyframe 2 to the next one; after
    the last comes the first again."""

    model: Id
    keyframes: list[Point] = Field(min_length=2, max_length=16)
    at: list[Annotated[float, Field(ge=0, le=16, allow_inf_nan=False)]] = Field(min_length=1, max_length=32)


class DirectionRequest(BaseModel):
    """One direction of a model."""

    model: Id
    direction: DirectionId


class StripRequest(Point):
    """The effect of a direction at a point."""

    model: Id
    direction: DirectionId


class NameRequest(DirectionRequest):
    """A direction's name ("": the one it had at first), and whether it is kept."""

    name: str = Field(default="", max_length=80)
    kept: bool = False


class OwnRequest(BaseModel):
    """A direction from one group of points to another."""

    model: Id
    name: str = Field(default="", max_length=80)
    vector_from: list[Point] = Field(min_length=1, max_length=256)
    vector_to: list[Point] = Field(min_length=1, max_length=256)
