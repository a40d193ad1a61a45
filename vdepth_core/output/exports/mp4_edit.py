"""A film that editors, players and phones open: 10-bit HEVC (Main 10), 4:2:0, grey in video range.

Compressed with loss, a few codes: for looking, matting and depth effects in an edit. Values come back exactly
from `mp4`, `png16` and the EXRs.
"""

from __future__ import annotations

import av
import numpy as np

from .film import Encoder, Film
from .scaling import Scaling

_BLACK, _WHITE = 64, 940  # 10-bit luma of video range, ITU-R BT.709
_GAP = 24  # codes between "no depth" and the darkest depth, so that loss never turns one into the other
_LEVELS = _WHITE - _BLACK - _GAP + 1
_TAGS = {"color_range": 1, "color_primaries": 1, "color_trc": 1, "colorspace": 1}  # video range, BT.709


class Mp4Edit(Film):
    """``<clip>_<convention>_edit.mp4`` and ``<clip>_<convention>_edit.json``; grey 64 to 940 of 1023."""

    name = "mp4-edit"
    ending = "_edit"
    levels = _LEVELS
    words = f"10-bit 4:2:0, video range, lossy; code = luma - {_BLACK + _GAP}, below: 0"
    encoders = (
        Encoder(
            "libx265",
            "yuv420p10le",
            {
                "x265-params": "log-level=none:pools=none:frame-threads=1:psy-rd=0:psy-rdoq=0",
                "preset": "fast",
                "crf": "4",
            },
            {**_TAGS, "codec_tag": "hvc1"},  # the tag that QuickTime and Final Cut ask for
        ),
        Encoder("libx264", "yuv420p10le", {"crf": "4", "preset": "fast", "threads": "1"}, _TAGS),
    )

    def picture(self, codes: np.ndarray) -> av.VideoFrame:
        """Luma of video range, without colour; see `Film.picture`."""
        height, width = codes.shape
        planes = np.full((height * 3 // 2, width), 512, np.uint16)  # neutral chroma
        planes[:height] = np.where(codes == 0, _BLACK, codes + _BLACK + _GAP)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p10le")


def decode(luma: np.ndarray, scaling: Scaling) -> np.ndarray:
    """10-bit luma (H, W) of the film -> values (H, W) float32; NaN where there is no depth.

    Args:
        luma: As decoded, video range.
        scaling: Of the film.
    """
    codes = luma.astype(np.int32) - _BLACK - _GAP
    return scaling.decode(np.where(codes < -_GAP // 2, 0, np.clip(codes, 1, _LEVELS - 1)))
