"""How the embedded model is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..choices import TemporalForm
from ..learning.config import Cosine, LoopConfig, Schedule
from ..learning.losses.temporal import SIGMA

SCHEDULE = Cosine(warm_up=200, held=0.35)
COARSE, BROAD = (
    0.2,
    0.5,
)  # shares of the steps that are over when pictures grow, and when they are of all sizes
COARSE_STEPS, BROAD_FROM = 1500, 4000  # the same where no steps are given
TUNING_RATE = 1.5e-4  # peak learning rate when trained weights are trained further
TUNING_BLEND = 0.5  # the least within half a percent of the best on what the sources held out


@dataclass(frozen=True)
class TrainConfig(LoopConfig):
    """How to train the embedded model, beside what `LoopConfig` says (a batch is counted in frames).

    Attributes:
        alpha: Weight of the gradient term of the loss for exact truth.
        temporal: λ of the temporal loss; 0: none.
        form, sigma: Its form, and how fast a difference of colour makes a pixel doubtful.
        coarse_steps: Steps at small pictures first, where most of what a scene looks like is learnt faster.
        threads: Torch threads; 1 is best where other work runs.
        blend: How far the released weights go from where training started (0) to where it ended (1). Between
            them lies what forgets less of pictures unlike the training's (Wortsman et al., "Robust
            Fine-Tuning of Zero-Shot Models", CVPR 2022).
        published: Factor of the rate for layers that published weights fill.
        architecture: Key of `architectures.ARCHITECTURES`.
        broad_from: Step from which on pictures are of all sizes a model is used at, and normalisations keep
            their statistics: a batch then holds as many pixels as ever, and too few pictures for statistics.
            None: never.
    """

    minutes: float = 75.0
    batch: int = 12
    rate: float = 1.2e-3
    schedule: Schedule = SCHEDULE
    decay: float = 0.02
    average: float = 0.998
    validate_every: int = 250
    patience: int | None = None
    save_every: float = 240.0
    alpha: float = 0.5
    temporal: float = 0.25
    form: TemporalForm = "residual"
    sigma: float = SIGMA
    coarse_steps: int = COARSE_STEPS
    threads: int = 1
    blend: float = 1.0
    published: float = 0.1
    architecture: str = "hybrid"
    broad_from: int | None = BROAD_FROM

    def with_own(self, rate: float | None, blend: float | None, published: float | None) -> TrainConfig:
        """The same with what somebody chose in place of the defaults.

        Args:
            rate: Peak learning rate; None: as it is.
            blend, published: As the attributes; None: as they are.
        """
        return replace(
            self,
            rate=self.rate if rate is None else rate,
            blend=self.blend if blend is None else blend,
            published=self.published if published is None else published,
        )

    def for_encoder(self) -> TrainConfig:
        """The same for new layers on a published encoder: small pictures, larger ones, then all sizes."""
        if not self.steps:
            return self
        return replace(self, coarse_steps=int(COARSE * self.steps), broad_from=int(BROAD * self.steps))

    def for_tuning(self) -> TrainConfig:
        """The same for weights that are trained already: all sizes at once, and a smaller rate."""
        return replace(self, coarse_steps=0, broad_from=0, rate=TUNING_RATE, blend=TUNING_BLEND)
