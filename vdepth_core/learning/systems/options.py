"""The options of the systems; nothing heavy loads with them, so that help texts are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ...options import Options

_PATENT = "its authors cite the patent US 11991342 on it"


class _Switches(Options):
    """The two steps of the loss that a patent is cited on; each can be turned off."""

    minimum: bool = Field(
        True,
        alias="minimum",
        description=f"Compare each pixel with the source that explains it best ({_PATENT}).",
        json_schema_extra={"off": f"Take the mean over the sources, not the minimum ({_PATENT})."},
    )
    automask: bool = Field(
        True,
        alias="automask",
        description=f"Leave out pixels that an unmoved source explains better ({_PATENT}).",
        json_schema_extra={"off": f"Compare all pixels, those that stand still too ({_PATENT})."},
    )


class Monodepth2Options(_Switches):
    """Switches and weights of Monodepth2's loss, which DDV and DIFFNet train with, too."""

    ssim: float = Field(0.85, ge=0, le=1, description="Weight of SSIM in the comparison; the rest is L1.")
    smoothness: float = Field(
        1e-3, ge=0, description="Weight of smoothness, halved with every coarser scale."
    )
    native: bool = Field(False, description="Compare every scale at its own size, not at full size.")


class FeatDepthOptions(_Switches):
    """Switches and weights of FeatDepth's loss."""

    metric: float = Field(1e-3, ge=0, description="Weight of the comparison of features.")
    smoothness: float = Field(
        1e-3, ge=0, description="Weight of smoothness, halved with every coarser scale."
    )
    exact: bool = Field(
        True,
        description="Look sources up exactly; published is up to half a pixel off at the borders.",
        json_schema_extra={"off": "Look sources up as published, up to half a pixel off at the borders."},
    )
    extractor: Literal["resnet18", "resnet34", "resnet50"] = Field(
        "resnet50", description="Whose features are compared."
    )
    features: Path | None = Field(
        None, description="Weights of an extractor trained before, which stays; none: one learns along."
    )


class PackNetOptions(_Switches):
    """Switches and weights of PackNet-SfM's loss."""

    ssim: float = Field(0.85, ge=0, le=1, description="Weight of SSIM in the comparison; the rest is L1.")
    smoothness: float = Field(
        1e-3, ge=0, description="Weight of smoothness, halved with every coarser scale."
    )
    velocity: float = Field(0.1, ge=0, description="Weight of measured motion, where there is any.")
    clip: float = Field(
        0.0, ge=0, description="Deviations above the mean that an error counts; 0: all of it."
    )
    native: bool = Field(False, description="Compare every scale at its own size, not at full size.")


class SfmLearnerOptions(Options):
    """Weights of SfMLearner's loss; its release was trained with a smoothness of 2."""

    explainability: float = Field(
        0.0, ge=0, description="Weight of masks of what a still world explains; 0: none."
    )
    smoothness: float = Field(0.1, ge=0, description="Weight of smoothness.")
    smooth: Literal["depth", "disparity"] = Field(
        "depth", description="What is to be smooth: depth, or as in the first publication disparity."
    )


class LeftRightOptions(Options):
    """How the terms of left-right consistency are weighed; the defaults are those published."""

    smoothness: float = Field(0.1, ge=0, description="Weight of smoothness, halved with every coarser scale.")
    consistency: float = Field(1.0, ge=0, description="Weight of both eyes' disparity being the same.")
