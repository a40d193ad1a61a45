"""How the embedded model is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..choices import TemporalForm
from ..learning.losses.temporal import SIGMA

TUNING_RATE = 1.5e-4  # peak learning rate when released weights are trained further
TUNING_BLEND = 0.5  # the least within half a percent of the best on what the sources held out


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        seed: Decides initial weights, samples and augmentation.
        minutes: Stop after this much training time (over all runs); ignored when ``steps`` is set.
        steps: Stop after this many steps; None: go by the clock.
        batch: Frames a step.
        alpha: Weight of the gradient term of the loss for exact truth.
        temporal: λ of the temporal loss; 0: none.
        form, sigma: Its form, and how fast a difference of colour makes a pixel doubtful.
        coarse_steps: Steps at small pictures first, where most of what a scene looks like is learnt faster.
        rate: Peak learning rate (AdamW): a short warm-up, half of the training at the peak, then a cosine
            to zero.
        decay: Weight decay.
        average: Decay of the moving average of the weights.
        threads: Torch threads; 1 is best where other work runs.
        validate_every, save_every: Steps between validations; seconds between checkpoints.
        blend: How far the released weights go from where training started (0) to where it ended (1). Between
            them lies what forgets less of pictures unlike the training's (Wortsman et al., "Robust
            Fine-Tuning of Zero-Shot Models", CVPR 2022).
        tuning: Whether the network starts trained; its normalisations then keep their statistics, which tell
            more of pictures at large than a batch does.
    """

    seed: int = 0
    minutes: float = 75.0
    steps: int | None = None
    batch: int = 12
    alpha: float = 0.1
    temporal: float = 0.25
    form: TemporalForm = "residual"
    sigma: float = SIGMA
    coarse_steps: int = 5000
    rate: float = 1e-3
    decay: float = 0.02
    average: float = 0.998
    threads: int = 1
    validate_every: int = 250
    save_every: float = 240.0
    blend: float = 1.0
    tuning: bool = False

    def for_tuning(self) -> TrainConfig:
        """The same for weights that are trained already: full pictures at once, and a smaller rate."""
        return replace(self, coarse_steps=0, rate=TUNING_RATE, blend=TUNING_BLEND, tuning=True)
