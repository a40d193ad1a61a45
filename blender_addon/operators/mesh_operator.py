# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators share that run on a clip's mesh, with progress, and then change the scene."""

from __future__ import annotations

from typing import Any

from .clip_operator import ClipOperator
from .on_clip import OnMesh
from .state import STATE


class MeshOperator(OnMesh, ClipOperator):
    """Needs a clip's mesh, and nothing else under way."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Says what is missing, or what is under way."""
        return super().poll(context) and ClipOperator.poll.__func__(cls, context)  # type: ignore[attr-defined]

    def _stopped_early(self) -> set[str]:
        """Reports what a run that did not end says of itself."""
        said = STATE.error or STATE.message
        self.report({"ERROR"} if STATE.error else {"INFO"}, said)  # type: ignore[attr-defined]
        return {"CANCELLED"}
