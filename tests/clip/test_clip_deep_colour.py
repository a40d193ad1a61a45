"""Pictures of more than 8 bits keep their colours on the way to light and to the display."""

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from vdepth_core.clip.picture import Coding, Converter


@pytest.mark.parametrize(("pixel_format", "white"), [("rgb48le", 65535), ("rgb24", 255)])
def test_ten_bits_keep_their_colours(tmp_path, pixel_format, white):
    """A slope of blue to orange, decoded by BT.2020's equations (limited range)."""
    height, width = 48, 64
    luma = np.full((height, width), 500.0)
    blue = np.repeat(np.linspace(440, 580, width // 2).round()[None], height // 2, 0)
    red = np.repeat(np.linspace(560, 480, width // 2).round()[None], height // 2, 0)
    picture = VideoFrame(width, height, "yuv420p10le")
    for plane, values in zip(picture.planes, (luma, blue, red), strict=True):
        padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        padded[:, : values.shape[1]] = values
        plane.update(padded.tobytes())
    picture.colorspace, picture.color_range = 9, 1
    with av.open(str(tmp_path / "none.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 24, width=width, height=height, pix_fmt="yuv420p10le")
        found = Converter((width, height), pixel_format, Coding(stream))(picture)[::2, ::2] / white
    y, cb, cr = (500 - 64) / 876, (blue - 512) / 896, (red - 512) / 896
    expected = np.stack((y + 1.4746 * cr, y - 0.16455 * cb - 0.57135 * cr, y + 1.8814 * cb), -1)
    np.testing.assert_allclose(found[4:-4, 4:-4], expected[4:-4, 4:-4], atol=0.008)
