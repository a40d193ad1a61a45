"""What lies beside the weights of an adaptation: the checkpoint, and the clip as the network sees it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError, WeightsError
from ..files import plain_files, refuse_link, require_space
from ..learning.checkpoint import Counters, check_identity, is_checkpoint, read_counters
from ..learning.student import is_adapted
from ..store import remove_store
from .report import is_report

_RUN = "run.json"


class Places:
    """The files of one run; none that could be somebody else's is replaced, removed or followed.

    Attributes:
        out: The weights.
        state: The checkpoint, which stays (``.adapting``).
        folder: Frames, motion and supervision, until the run is over (``.footage``).
        report: Before and after (``.html``).
    """

    def __init__(self, out: Path) -> None:
        """Looks whether they can be.

        Raises:
            UsageError: ``out`` is no name for weights, its folder is missing, or it is not ours.
            ResourceError: a link is in the way.
        """
        if out.suffix != ".safetensors":
            raise UsageError(f"{out.name} is no name for weights.", "Let it end in .safetensors.")
        if not out.parent.is_dir():
            raise UsageError(f"The folder {out.parent} does not exist.", "Make it first.")
        if os.path.lexists(out) and not is_adapted(out):
            raise UsageError(
                f"{out} is there, and vdepth adapt did not write it.", "Choose another name with -o."
            )
        self.out, self.state, self.folder = out, out.with_suffix(".adapting"), out.with_suffix(".footage")
        self.report = out.with_suffix(".html")
        if os.path.lexists(self.report) and not is_report(self.report):
            raise UsageError(
                f"{self.report} is in the way; it is no report of vdepth adapt.",
                "Choose another name with -o.",
            )
        plain_files(self.folder)
        refuse_link(self.state)

    def begin(self, identity: str, source: str, threads: int, *, anyhow: bool = False) -> Counters:
        """Removes what a former run left, and notes whose the folder is now.

        Args:
            identity: Of the run: what decides its result.
            source: Name of the model that it starts from.
            threads: Of torch; a resumed run takes as many.
            anyhow: Even if what it learnt is lost.

        Raises:
            UsageError: the folder or the checkpoint is none of ours, or of a run that is not over.
        """
        if os.path.lexists(self.state) and not is_checkpoint(self.state):
            raise UsageError(
                f"{self.state} is in the way; it is no checkpoint of vdepth.", "Choose another name with -o."
            )
        if self.folder.exists():
            if not (self.folder / _RUN).is_file():
                raise UsageError(
                    f"{self.folder} is in the way; it is no folder of vdepth.", "Choose another name with -o."
                )
            if self.state.exists() and not anyhow:
                raise UsageError(
                    f"{self.state} holds a run that is not over.",
                    "Go on with --resume, or delete it to begin anew.",
                )
            remove_store(self.folder)
        self.state.unlink(missing_ok=True)
        self.folder.mkdir(exist_ok=True)
        (self.folder / _RUN).write_text(json.dumps({"identity": identity, "threads": threads}))
        return Counters(identity, source, threads)

    def resume(self, identity: str, source: str) -> Counters:
        """Where a former run stands, which may have been stopped before its first step.

        Args:
            identity, source: As of `begin`.

        Raises:
            UsageError: it was another run.
            WeightsError: there was none.
        """
        if self.state.exists():
            return read_counters(self.state, identity)
        try:
            facts = json.loads((self.folder / _RUN).read_text())
            found, threads = facts["identity"], int(facts["threads"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"There is nothing to resume from: neither a checkpoint nor {self.folder} is there.",
                "Start without --resume.",
            ) from error
        check_identity(self.folder, found, identity)
        return Counters(identity, source, threads)

    def former(self, identity: str, source: str) -> Counters | None:
        """Where a former run stands if it was the same one; None: there is none to go on from.

        Args:
            identity, source: As of `begin`.
        """
        try:
            return self.resume(identity, source)
        except (UsageError, WeightsError):
            return None

    @property
    def tidied(self) -> bool:
        """Whether the weights are there, and nothing is left to do."""
        return self.out.is_file() and self.report.is_file() and not self.folder.exists()

    def need(self, size: int) -> None:
        """Refuses early what would fill the disk in the end.

        Args:
            size: Bytes.

        Raises:
            ResourceError: less than ``size`` bytes are free.
        """
        require_space(
            self.folder.parent,
            size,
            "preparing the clip needs",
            "Free some space, or adapt to fewer --frames.",
        )

    def tidy(self) -> None:
        """Removes the folder; what is left of it is in nobody's way."""
        with suppress(OSError):
            remove_store(self.folder)
