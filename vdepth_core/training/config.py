"""How the embedded model is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..choices import TemporalForm
from ..learning.config import Cosine, LoopConfig, Schedule
from ..learning.losses.temporal import SIGMA

SCHEDULE = Cosine(warm_up=200, held=0.5)
TUNING_RATE = 1.5e-4  # peak learning rate when released weights are trained further
ENCODER_RATE = 1.2e-3  # of new layers on an encoder that is trained already
ENCODER_STEPS = (
    1500,
    4000,
)  # small pictures until the one, all sizes from the other, where no steps are given
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
        architecture: Key of `architectures.ARCHITECTURES`.
        broad_from: Step from which on pictures are of all sizes a model is used at, and normalisations keep
            their statistics: a batch then holds as many pixels as ever, and too few pictures for statistics.
            None: never.
        tuning: Whether the network starts trained; its normalisations then keep their statistics, which tell
            more of pictures at large than a batch does.
    """

    minutes: float = 75.0
    batch: int = 12
    rate: float = 1e-3
    schedule: Schedule = SCHEDULE
    decay: float = 0.02
    average: float = 0.998
    validate_every: int = 250
    patience: int | None = None
    save_every: float = 240.0
    alpha: float = 0.1
    temporal: float = 0.25
    form: TemporalForm = "residual"
    sigma: float = SIGMA
    coarse_steps: int = 5000
    threads: int = 1
    blend: float = 1.0
    architecture: str = "embedded"
    broad_from: int | None = None
    tuning: bool = False

    def for_tuning(self) -> TrainConfig:
        """The same for weights that are trained already: full pictures at once, and a smaller rate."""
        return replace(self, coarse_steps=0, rate=TUNING_RATE, blend=TUNING_BLEND, tuning=True)

    def for_encoder(self) -> TrainConfig:
        """The same for new layers on a published encoder: small pictures, larger ones, then all sizes.

        Gradients count five times as much, so that objects have edges.
        """
        coarse, broad = (int(0.2 * self.steps), int(0.5 * self.steps)) if self.steps else ENCODER_STEPS
        return replace(
            self,
            coarse_steps=coarse,
            broad_from=broad,
            rate=ENCODER_RATE,
            schedule=replace(SCHEDULE, held=0.35),
            alpha=0.5,
            tuning=True,
        )
