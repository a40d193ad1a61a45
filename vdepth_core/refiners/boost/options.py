"""Options of `boost`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...choices import BoostPlan
from ...options import Options


class BoostOptions(Options):
    """Options of `boost`."""

    plan: BoostPlan = Field(default="shot", alias="boost", description="One plan a shot, or one a picture.")
    merge: str = Field(
        default="transfer",
        description="How boosting puts detail in: transfer, poisson, pix2pix (wants weights), or the weights "
        "file of your own merge.",
        json_schema_extra={"metavar": "NAME|FILE"},
    )
    max_size: Annotated[int, Field(ge=256, le=16384)] = Field(
        default=3840,
        description="Longest side of a picture as boosting looks at it, 256 to 16384 pixels; never above the "
        "plate's.",
    )
