"""What lies beside the weights of an adaptation: the checkpoint, and the clip as the network sees it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError, WeightsError
from ..files import plain_files, refuse_link, require_space, write_bytes
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

    def begin(self, identity: str, source: str, threads: int) -> Counters:
        """Removes what a former run left, and notes whose the folder is now.

        Args:
            identity: Of the run: what decides its result.
            source: Name of the model that it starts from.
            threads: Of torch; a resumed run takes as many.

        Raises:
            UsageError: the folder or the checkpoint is none of ours.
        """
        if os.path.lexists(self.state) and not is_checkpoint(self.state):
            raise UsageError(
                f"{self.state} is in the way; it is no checkpoint of vdepth.", "Choose another name with -o."
            )
        self._check_folder()
        if self.folder.exists():
            remove_store(self.folder)
        self.state.unlink(missing_ok=True)
        self.claim(identity, threads)
        return Counters(identity, source, threads)

    def spare_unfinished(self, identity: str) -> None:
        """Refuses to begin anew where a run that is not over would be lost.

        Args:
            identity: Of the run that would begin.

        Raises:
            UsageError: there is one that can be gone on with.
        """
        if self.tidied or not is_checkpoint(self.state):
            return
        try:
            read_counters(self.state, identity)
            hint = "Go on with --resume, or delete it to begin anew."
        except UsageError:
            hint = "It was begun with other options: choose another name with -o, or delete it."
        except WeightsError:  # damaged, or of a former version: nothing can go on with it
            return
        raise UsageError(f"{self.state} holds a run that is not over.", hint)

    def spare_other(self) -> None:
        """Refuses to begin anew where anything is left of a run, which was another one.

        Raises:
            UsageError: there is.
        """
        if self.out.exists() or is_checkpoint(self.state):
            raise UsageError(
                f"{self.out} cannot be gone on with: it has other options, or its checkpoint is lost.",
                "Choose another folder, or add --overwrite.",
            )

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

    def claim(self, identity: str, threads: int) -> None:
        """Makes the folder, and notes whose it is.

        Args:
            identity, threads: As of `begin`.

        Raises:
            UsageError: it is there, and none of ours.
        """
        self._check_folder()
        self.folder.mkdir(exist_ok=True)
        write_bytes(self.folder / _RUN, json.dumps({"identity": identity, "threads": threads}).encode())

    def _check_folder(self) -> None:
        if self.folder.exists() and not (self.folder / _RUN).is_file() and not _arrays_alone(self.folder):
            raise UsageError(
                f"{self.folder} is in the way; it is no folder of vdepth.", "Choose another name with -o."
            )

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


def _arrays_alone(folder: Path) -> bool:
    """Whether a folder holds nothing but a store's arrays, as one that is being removed does."""
    return all(
        _arrays_alone(path) if path.is_dir() else path.suffix == ".crc" or Path(f"{path}.crc").exists()
        for path in folder.iterdir()
    )
