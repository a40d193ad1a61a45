"""How things move: each is a context in which a builder adds a body. The numbers come from `Builder.dice`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from .builder import Builder, Frame, Triple

WALKING, STIRRING, SWAYING = 0.65, 0.12, 0.5  # shares of people and animals, of loose things, of trees


class Gait:
    """One walk: legs swing, arms counter-swing, and the body advances as far as the feet say."""

    def __init__(self, b: Builder, leg: float, step: float, walks: bool) -> None:
        """``leg`` is its length in metres, ``step`` how far a foot is ahead (or behind) as built."""
        built = np.arcsin(step / leg)
        self.b, self.walks = b, walks
        self.swing = max(abs(built) + 0.01, b.dice.u(0.25, 0.4))
        self.period = b.dice.u(20, 32) * np.sqrt(leg / 0.95)  # frames, like a pendulum's
        self.phase = float(np.arcsin(built / self.swing))
        self.speed = 4 * leg * np.sin(self.swing) / self.period if walks else 0.0
        self.arms = b.dice.u(0.1, 0.45)
        self.turn = b.dice.u(-0.012, 0.012)

    def body(self, f: Frame) -> AbstractContextManager[None]:
        """Everything, advancing towards −z.

        Args:
            f: Where the figure stands.
        """
        return self.b.moving(f, velocity=(0, 0, -self.speed), spin=self.turn)

    def leg(self, f: Frame, hip: Triple, first: bool) -> AbstractContextManager[None]:
        """A leg from ``hip``; first legs and the others are half a period apart.

        Args:
            f: Where the figure stands.
            hip: (x, height, z) in ``f``, where the leg turns.
            first: Which half of the legs it belongs to.
        """
        swing = (self.swing * self.walks, self.period, self.phase + np.pi * (not first))
        return self.b.moving(f, hip, (1, 0, 0), swing=swing)

    def arm(self, f: Frame, shoulder: Triple, first: bool) -> AbstractContextManager[None]:
        """An arm, which also moves where nobody walks.

        Args:
            f: Where the figure stands.
            shoulder: (x, height, z) in ``f``, where the arm turns.
            first: Which half of the arms it belongs to; it swings against the legs of the same half.
        """
        swing = (self.arms, self.period * (1 if self.walks else 2), self.phase + np.pi * first)
        return self.b.moving(f, shoulder, (1, 0, 0), swing=swing)


def stirring(
    b: Builder, f: Frame, size: float, chance: float = STIRRING, free: bool = False
) -> AbstractContextManager[None]:
    """A loose thing of ``size`` metres that slides and turns where it stands, or tumbles when ``free``.

    Args:
        b, f: The scene being built, and where the thing turns.
        size: Decides how far it slides.
        chance: That it moves at all.
        free: Whether nothing holds it, neither floor nor uprightness.
    """
    if not b.dice.coin(chance):
        return nullcontext()
    x, h, z = b.dice.rng.normal(0, 0.06 * size, 3)
    axis = b.dice.rng.normal(size=3) if free else np.array((0.0, 1.0, 0.0))
    axis = axis / np.linalg.norm(axis)
    return b.moving(
        f, axis=(axis[0], axis[1], axis[2]), velocity=(x, h * free, z), spin=b.dice.rng.normal(0, 0.06)
    )


def driving(b: Builder, f: Frame, fastest: float) -> AbstractContextManager[None]:
    """A vehicle on its way towards −z, up to ``fastest`` metres a frame; 0 parks it.

    Args:
        b, f: The scene being built, and where the vehicle stands at first.
        fastest: Its highest speed.
    """
    if fastest == 0:
        return nullcontext()
    speed = b.dice.u(0.1, 1) * fastest
    return b.moving(f, velocity=(0, 0, -speed), spin=b.dice.rng.normal(0, 0.004) * b.dice.coin(0.5))


def swaying(b: Builder, f: Frame) -> AbstractContextManager[None]:
    """Something rooted in ``f`` that the wind bends.

    Args:
        b, f: The scene being built, and where the thing is rooted.
    """
    if not b.dice.coin(SWAYING):
        return nullcontext()
    way = b.dice.u(0, 2 * np.pi)
    swing = (b.dice.u(0.003, 0.015), b.dice.u(25, 80), b.dice.u(0, 2 * np.pi))
    return b.moving(f, axis=(np.cos(way), 0, np.sin(way)), swing=swing)
