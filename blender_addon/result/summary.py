# SPDX-License-Identifier: GPL-3.0-or-later
"""What a panel says of a finished result, read again only when its manifest changes. No bpy in here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from .manifest import Result, ResultError, read_result

_SPACES = {"affine_invariant": "relative", "scale_invariant": "up to scale", "metric": "metres"}
_LENSES = {
    "given": "as given",
    "motion": "found from the clip's motion",
    "metadata": "told by the clip's file",
    "estimated": "seen by the model",
    "assumed": "assumed",
}


@dataclass(frozen=True)
class Summary:
    """A result with the words for it.

    Attributes:
        license: Terms of the model's weights.
        commercial: Whether they allow commercial use.
        warnings: What the core noted while it worked.
    """

    result: Result
    license: str
    commercial: bool
    warnings: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """One fact a line."""
        found = self.result
        shots = f" in {len(found.shots)} shots" if len(found.shots) > 1 else ""
        near, far = min(shot.near for shot in found.shots), max(shot.far for shot in found.shots)
        terms = self.license if self.commercial else f"{self.license}, non-commercial"
        camera = found.shots[0].camera
        angle = math.degrees(2 * math.atan(found.width / 2 / camera.fx))
        return [
            f"{found.count} frame{'s' * (found.count != 1)}{shots}, "
            f"files {found.first_number} to {found.last_number}",
            f"{found.model}, {found.method}",
            f"Licence {terms}",
            f"Depth {near:.3g} to {far:.3g}, {_SPACES.get(found.space, found.space)}",
            f"Lens {_LENSES.get(camera.source, camera.source)}, {angle:.0f}° wide",
        ]


_known: dict[Path, tuple[int, Summary]] = {}


def summarise(manifest: Path) -> Summary:
    """The summary of a manifest; cheap when it is asked for again.

    Raises:
        ResultError: as `read_result`.
    """
    try:
        stamp = manifest.stat().st_mtime_ns
    except OSError:
        stamp = 0
    known = _known.get(manifest)
    if known is None or known[0] != stamp or not stamp:
        result = read_result(manifest)
        try:
            data = json.loads(manifest.read_text(encoding="utf-8"))
            model, warnings = data["model"], tuple(data.get("warnings", ()))
            known = stamp, Summary(result, str(model["license"]), bool(model["commercial"]), warnings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ResultError(f"{manifest.name} is no vdepth manifest ({error}): estimate again.") from error
        _known[manifest] = known
    return known[1]
