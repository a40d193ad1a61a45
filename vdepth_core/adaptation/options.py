"""The options of the recipes; nothing heavy loads with them, so that help texts are at hand."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..choices import TemporalForm
from ..learning.systems.options import (
    FeatDepthOptions,
    LeftRightOptions,
    Monodepth2Options,
    PackNetOptions,
    SfmLearnerOptions,
)
from ..options import Options


class TcOptions(Options):
    """How the terms of the loss of `tc` are weighed."""

    form: TemporalForm = Field(
        "residual",
        alias="form",
        description="residual: depth may change as the teacher's does; plain: it may not.",
    )
    # Measured on the bundled clip, 400 steps: 2 takes rTC@1.05 from .67 to .91 and softens edges by 10 %,
    # 4 takes it to .93 and softens them by 14 %.
    weight: float = Field(2.0, ge=0, description="Weight of steadiness beside faithfulness.")
    sigma: float = Field(50.0, gt=0, description="How fast a difference of colour makes a pixel doubtful.")
    midas: float = Field(0.0, ge=0, description="Weight of a loss that ignores scale and shift.")


class LeftRightRecipe(LeftRightOptions):
    """Of left-right consistency, and what its rig is known to be."""

    baseline: float | None = Field(
        None,
        gt=0,
        alias="baseline",
        description="Metres between parallel eyes: with --fov or --intrinsics, depth comes out in metres.",
    )


class ViewOptions(Options):
    """What all recipes by view synthesis add to a published loss."""

    gap: int | None = Field(
        None, ge=1, le=1000, alias="gap", description="Frames to the sources (default: by the motion)."
    )
    prior: float = Field(
        0.05, ge=0, alias="prior", description="Weight of the shapes of the model as it was."
    )
    geometric: float = Field(
        1.0, ge=0, alias="geometric", description="Weight of depth triangulated along flow; 0: none."
    )
    edges: float = Field(
        8.0,
        ge=0,
        alias="edges",
        description="Weight of the edges of the model as it was, where flow knows little.",
    )
    moving: bool = Field(
        True,
        alias="moving",
        description="Leave out what moves by itself, where flow shows it.",
        json_schema_extra={"off": "Learn from what moves by itself, too."},
    )
    fine: bool = Field(
        False, alias="fine", description="Compare pictures at full, not half the network's size: slower."
    )


class Monodepth2Recipe(ViewOptions, Monodepth2Options):
    """Those of the system, and what is added to it; so are the others."""


class FeatDepthRecipe(ViewOptions, FeatDepthOptions):
    """Of FeatDepth; one clip does not fill the features of the published fifty layers."""

    extractor: Literal["resnet18", "resnet34", "resnet50"] = Field(
        "resnet18", description="Whose features are compared."
    )


class PackNetRecipe(ViewOptions, PackNetOptions):
    """Of PackNet-SfM."""


class SfmLearnerRecipe(ViewOptions, SfmLearnerOptions):
    """Of SfMLearner."""
