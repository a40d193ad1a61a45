# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job is and how long it still takes, from the stages it tells of. No bpy in here.

A stage's frames are weighed by what they cost: as measured, or as usual until it has begun. When a cost turns
out other than thought, only what is left is divided anew, so that the share shown never goes back, and what
remains is always all that is left of the bar.
"""

from __future__ import annotations

from dataclasses import dataclass, field

USUAL = {"scan": 0.05, "infer": 1.0, "settle": 0.3, "refine": 4.0, "write": 1.5}
"""What a frame of each stage costs in relation to its estimate: measured without a graphics card."""
FUSING = {"solve": 10.0, "moving": 0.15, "fuse": 1.0}
"""What a unit of each stage of a clean plate costs in relation to fusing a frame."""
_EXPECTED = ("infer", "settle", "write")  # of every job; the others only once they are told of
_TRUSTED = 2  # frames after which a rate is believed
_SETTLED_S, _SETTLED = 2.0, 0.02  # seconds of work, and share, before a time is told
_SMOOTH = 0.3


@dataclass
class Forecast:
    """What is shown of a running job.

    Attributes:
        share: Of all work, 0 to 1; never falls.
        eta: Seconds to go, None while unknown.
        stages: Units done and to do, by stage; the second is 0 while unknown.
        usual: What a unit of each stage that counts costs until it is measured, in relation to one of them.
    """

    share: float = 0.0
    eta: float | None = None
    stages: dict[str, tuple[int, int]] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=lambda: dict(USUAL))
    _seconds: dict[str, float] = field(default_factory=dict)  # a unit's, by stage
    _before: dict[str, int] = field(default_factory=dict)  # units that were done before this run
    _began: float | None = None
    _told_at: float = 0.0

    def announce(self, stage: str, total: int | None) -> None:
        """Takes in how long a stage is.

        Args:
            stage: Its name.
            total: Units of work, None while unknown.
        """
        done, known = self.stages.get(stage, (0, 0))
        self.stages[stage] = done, total or known

    def advance(self, stage: str, done: int, total: int | None, rate: float, now: float) -> None:
        """Takes in how far a stage is.

        Args:
            stage: Its name.
            done: Units of work done, those before this run too.
            total: Units in all, None while unknown.
            rate: Units a second of this run, 0 before the first.
            now: Seconds of a clock that only runs forwards.
        """
        known = self.stages.get(stage, (0, 0))
        before = self._left()
        self.stages[stage] = done, total or known[1]
        if rate <= 0:
            self._before[stage] = done
        elif done - self._before.setdefault(stage, 0) >= _TRUSTED or done == total:
            self._seconds[stage] = 1 / rate
        after = self._left()
        was, left = self._cost(before), self._cost(after)
        if 0 <= left < was:
            self.share = 1 - (1 - self.share) * left / was
        if stage in self.usual and stage != "scan" and rate > 0:
            self._began = self._began or now - 1 / rate
            self._tell(left, now)

    def costs(self) -> dict[str, float]:
        """What the stages cost this time, for the next job of the same kind."""
        if not (frame := self._seconds.get("infer", 0.0)):
            return self.usual
        return self.usual | {name: s / frame for name, s in self._seconds.items() if name in self.usual}

    def _tell(self, left: float, now: float) -> None:
        """The time to go: stages run side by side, so a second may do the work of several."""
        assert self._began is not None
        done = {name: done - self._before.get(name, done) for name, (done, _) in self.stages.items()}
        spent, work = now - self._began, self._cost({name: n for name, n in done.items() if name != "scan"})
        if spent < _SETTLED_S or self.share < _SETTLED or work <= 0:
            return
        eta = left * spent / work
        if self.eta is not None:
            passed = max(self.eta - (now - self._told_at), 0.0)
            eta = passed + _SMOOTH * (eta - passed)
        self.eta, self._told_at = eta, now

    def _left(self) -> dict[str, int]:
        """Units to do, by stage; a stage nobody told of yet is as long as the longest that is known."""
        known = {name: self.stages[name] for name in self.usual if name in self.stages}
        longest = max((total for _, total in known.values()), default=0)
        expected = {name: (0, longest) for name in _EXPECTED if name in self.usual} if longest else {}
        stages = {name: units for name, units in known.items() if units[1]}
        return {name: max(total - done, 0) for name, (done, total) in (expected | stages).items()}

    def _cost(self, units: dict[str, int]) -> float:
        """Seconds that units of work take, each stage by itself."""
        measured = (
            s / self.usual[name] for name, s in self._seconds.items() if name in self.usual.keys() - {"scan"}
        )
        frame = self._seconds.get("infer") or next(measured, 0.1)
        return sum(
            n * self._seconds.get(name, self.usual[name] * frame)
            for name, n in units.items()
            if name in self.usual
        )
