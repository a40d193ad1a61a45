"""Clean plates as ``vdepth fuse`` leaves them in a folder, read again frame by frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..output.attributes import PREFIX
from ..output.exr import read_exr
from ..output.exr_header import read_header
from ..output.manifest import Manifest
from ..output.naming import clean_names
from .render import Clean

_HINT = "Run vdepth fuse again."


@dataclass(frozen=True)
class CleanPlates:
    """A folder of them.

    Attributes:
        folder: Where they lie.
        name: Of the clip.
        margin: Pixels around the plate, at each side across and down.
        moving: Numbers of the frames that have one.
    """

    folder: Path
    name: str
    margin: tuple[int, int]
    moving: frozenset[int]

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> CleanPlates:
        """Opens a folder.

        Args:
            folder: Of ``vdepth fuse``.
            manifest: Of the job they are of.

        Raises:
            InputError: it holds no clean plates, or another clip's.
        """
        file = folder / "clean.json"
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            size = told["width"], told["height"]
            margin = int(told["margin_x"]), int(told["margin_y"])
            moving = [range(shot["first"], shot["last"] + 1) for shot in told["shots"] if shot["moves"]]
        except OSError as error:
            raise InputError(f"{folder} holds no clean plates: there is no clean.json.", _HINT) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is damaged.", _HINT) from error
        if size != (manifest.clip.width, manifest.clip.height):
            raise InputError(f"The clean plates in {folder} are of another clip.", _HINT)
        return cls(folder, manifest.clip.name, margin, frozenset(n for shot in moving for n in shot))

    @property
    def identity(self) -> str:
        """What made them.

        Raises:
            InputError: a file is missing or damaged.
        """
        if not self.moving:
            return ""
        file = self.folder / clean_names(self.name, min(self.moving))[0]
        try:
            return str(read_header(file).attributes.get(PREFIX + "clean", ""))
        except (OSError, ValueError) as error:
            raise InputError(f"{file} is missing or damaged.", _HINT) from error

    def read(self, number: int) -> Clean | None:
        """The clean plate of a frame; None: it has none.

        Args:
            number: Of the frame's file.

        Raises:
            InputError: a file is missing or damaged.
        """
        if number not in self.moving:
            return None
        depth, colour = (self.folder / name for name in clean_names(self.name, number))
        z = read_exr(depth)[0]["Z"]
        bgr = cv2.imread(str(colour), cv2.IMREAD_COLOR)
        if bgr is None or bgr.shape[:2] != z.shape:
            raise InputError(f"{colour} is missing or damaged.", _HINT)
        return Clean(np.ascontiguousarray(bgr[..., ::-1]), z.astype(np.float32), self.margin)
