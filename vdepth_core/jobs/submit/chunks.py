"""A command's work as the commands that a person would type, in the order in which they may run.

Every chunk may run anywhere, at any time and again; the last ones wait for all others.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ..batch import gather_clips
from ..config import EstimateConfig


@dataclass(frozen=True)
class Share:
    """One chunk: a clip, or a share of its shots.

    Attributes:
        clip, out: The clip and its folder, from the root.
        number: Which share, from 1.
    """

    clip: Path
    out: Path
    number: int


@dataclass(frozen=True)
class FarmJob:
    """What a farm is to run.

    Attributes:
        name: For lists: that of the output folder.
        program: The words that start vdepth.
        clips: The clips with their folders, from the root.
        options: Words of ``vdepth estimate``, the same for all.
        shares: Into how many each clip's shots are shared; 1: clips stay whole.
        out: The folder of all.
        gpu: Whether a chunk needs one.
    """

    name: str
    program: tuple[str, ...]
    clips: tuple[tuple[Path, Path], ...]
    options: tuple[str, ...]
    shares: int
    out: Path
    gpu: bool

    @property
    def chunks(self) -> list[Share]:
        """In their order."""
        return [Share(clip, out, number) for clip, out in self.clips for number in range(1, self.shares + 1)]

    def words(self, chunk: Share) -> list[str]:
        """The command of a chunk.

        Args:
            chunk: Which one.
        """
        shard = ["--shard", f"{chunk.number}/{self.shares}"] if self.shares > 1 else []
        return [*self.program, "estimate", str(chunk.clip), "-o", str(chunk.out), *self.options, *shard]

    def title(self, chunk: Share) -> str:
        """What lists call a chunk.

        Args:
            chunk: Which one.
        """
        return f"{chunk.out.name} {chunk.number}/{self.shares}" if self.shares > 1 else chunk.out.name

    @property
    def finish(self) -> list[str] | None:
        """The command that waits for all chunks; None: clips that stay whole need none."""
        return [*self.program, "finish", str(self.out)] if self.shares > 1 else None


def farm_job(
    clips: Sequence[Path],
    out: Path,
    config: EstimateConfig,
    options: Sequence[str],
    *,
    shares: int = 1,
    program: Sequence[str] = (),
) -> FarmJob:
    """The work of a command.

    Args:
        clips, out, config: As of `estimate_clips`.
        options: The words that ``config`` was made of.
        shares: Into how many each clip's shots are shared, 1 or more.
        program: How vdepth is started on the farm; empty: by its name.

    Raises:
        UsageError: no clips given, or shares of what must stay whole.
    """
    if shares > 1 and config.adapt is not None:
        raise UsageError(
            "Shots are estimated by one model: it cannot be adapted in every share.",
            "Leave --shares away, or adapt once with vdepth adapt and give its weights as --model.",
        )
    root = Path(os.path.abspath(out.expanduser()))
    gathered = gather_clips(clips, root, config, lambda _: None)
    pairs = [(Path(os.path.abspath(clip.path.expanduser())), clip.folder) for clip in gathered]
    name = root.name or "vdepth"
    return FarmJob(
        name,
        tuple(program) or ("vdepth",),
        tuple(pairs),
        tuple(options),
        shares,
        root,
        config.device != "cpu",
    )


def one_line(words: Sequence[str], engine: str) -> str:
    """A command for a shell, in one line.

    Args:
        words: Of the command.
        engine: For the sentence.

    Raises:
        UsageError: a name holds a line break.
    """
    line = shlex.join(words)
    if "\n" in line or "\r" in line:
        raise UsageError(
            f"A name with a line break ({line!r}) cannot stand in a file of {engine}.", "Rename it."
        )
    return line
