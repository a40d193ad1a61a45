"""Display matrices and EXIF: the eight ways a stored picture may lie, and what makes it upright."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import cv2
import numpy as np

from ..choices import Shown

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Orientation:
    """How to make a stored picture upright: mirror it left-right if ``mirrored``, then turn it clockwise.

    Attributes:
        rotation: Clockwise degrees: 0, 90, 180 or 270.
        mirrored: Whether the stored picture is flipped left-right before it is turned.
        exact: False when the matrix asked for an angle between, and the nearest right angle was taken.
    """

    rotation: int = 0
    mirrored: bool = False
    exact: bool = True

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation % 180 == 90

    def shown(self, how: Shown | None) -> Orientation:
        """What is left of it where not all is done that the file asks for.

        Args:
            how: ``upright`` or None: all of it; ``turned``: as the matrix turns, without the mirror it may
                hold, as do programs that read its angle alone (FFmpeg's `av_display_rotation_get`);
                ``stored``: nothing.
        """
        if how == "stored":
            return AS_IT_IS
        if how == "turned" and self.mirrored:
            return Orientation((self.rotation + 180) % 360, False, self.exact)
        return self

    def kept(self, how: Shown | None) -> Shown:
        """``how``, or ``upright`` where it leaves nothing undone.

        Args:
            how: As of `shown`.
        """
        return "upright" if how is None or self.shown(how) == self else how

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """Turns ``picture`` (H, W, 3) upright; the same array when there is nothing to do.

        Args:
            picture: As stored, of any dtype that OpenCV turns.
        """
        if self.mirrored:
            picture = cv2.flip(picture, 1)
        if self.rotation:
            picture = cv2.rotate(picture, _TURNS[self.rotation])
        return picture


AS_IT_IS = Orientation()


def from_exif(code: int) -> Orientation:
    """What EXIF's orientation asks for (JEITA CP-3451, tag 274); a code it does not know asks for nothing.

    Args:
        code: 1 to 8.
    """
    rotation = {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}.get(code, 0)
    return Orientation(rotation, code in {2, 4, 5, 7})


def from_display_matrix(data: bytes) -> Orientation:
    """Reads the 3 x 3 matrix of FFmpeg's side data (nine int32, 16.16 fixed point, the first two rows' a b /
    c d).

    ISO/IEC 14496-12, 8.2.2: (x', y') = (a x + c y, b x + d y) with y pointing down, so a pure clockwise turn
    by t has a = cos t, b = sin t; a negative determinant means the picture is mirrored as well.

    Args:
        data: 36 bytes, little-endian.
    """
    a, b, _, c, d = (value / 65536 for value in struct.unpack("<5i", data[:20]))
    if a == b == c == d == 0:
        return Orientation()
    mirrored = a * d - b * c < 0
    angle = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a))
    quarter = round(angle / 90)
    return Orientation(quarter % 4 * 90, mirrored, abs(angle - 90 * quarter) < 1)
