"""Whether a model is of the kind that a method runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..protocols import DepthModel


def check_kind(fits: bool, model: DepthModel, words: str, instead: str) -> None:
    """Refuses a model that is of another kind.

    Args:
        fits: Whether it is of the right one.
        model: Loaded.
        words: What the sentence says of one that does not fit, after its name.
        instead: The model to use.

    Raises:
        UsageError: it does not fit.
    """
    if not fits:
        raise UsageError(
            f"The model {model.spec.name} {words}.",
            "Use --method temporal, which aligns and filters the frames of any per-frame model, or --model "
            f"{instead}.",
        )
