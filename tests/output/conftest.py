"""A small finished job on a made-up scene, for everything that reads one."""

from fractions import Fraction

import numpy as np
import pytest

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.output.attributes import FrameAttributes
from vdepth_core.output.finish import DepthMapping, DisparityRange
from vdepth_core.output.manifest import (
    CameraEntry,
    ClipEntry,
    FramesEntry,
    Manifest,
    ModelEntry,
    ShotEntry,
    ratio,
    write_manifest,
)
from vdepth_core.output.naming import frame_pattern, manifest_path
from vdepth_core.output.writer import SequenceSettings, SequenceWriter

RATE = Fraction(24000, 1001)
WIDTH, HEIGHT, COUNT = 63, 41, 5


def make_attributes(number=1001, mapping=None, **changes):
    """Attributes of one frame of the made-up job."""
    values = {
        "number": number,
        "rate": RATE,
        "pixel_aspect": Fraction(4, 3),
        "mapping": mapping or DepthMapping("affine_invariant", DisparityRange(0.1, 0.9), 1.0, 100.0),
        "scale": 1.25,
        "shift": -0.1,
        "shot": 0,
        "method": "temporal",
        "model": "embedded",
        "weights_sha256": "ab" * 32,
        "license": "Apache-2.0",
        "source": "a clip.mov",
        "source_pts": 1001 * (number - 1001),
        "intrinsics": Intrinsics.default(WIDTH, HEIGHT),
        "job": "f00d",
        "timecode": "01:00:00:00",
        "since_start": number - 1001,
    }
    return FrameAttributes(**(values | changes))


def make_frame(index):
    """(plate, disparity) of frame ``index``: a bright card in front of a dark slope."""
    rgb = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    rgb[10:30, 10 + 2 * index : 35 + 2 * index] = (210, 180, 90)
    disparity = np.tile(np.linspace(0.1, 0.4, 21, dtype=np.float32)[:, None], (1, 32))
    disparity[5:15, 5 + index : 17 + index] = 0.85
    return rgb, disparity


CAMERA = CameraEntry.of(Intrinsics.default(WIDTH, HEIGHT))


def make_manifest(**changes):
    """The manifest of the made-up job."""
    values = {
        "job": "f00d",
        "clip": ClipEntry(
            path="a clip.mov",
            name="a clip",
            kind="movie",
            fingerprint="sha256:00",
            width=WIDTH,
            height=HEIGHT,
            pixel_aspect="4/3",
            rate=ratio(RATE),
            timecode="01:00:00:00",
            pts=[1001 * index for index in range(COUNT)],
            times=[ratio(index / RATE) for index in range(COUNT)],
        ),
        "frames": FramesEntry(first=0, stop=COUNT, start_number=1001, count=COUNT),
        "shots": [
            ShotEntry(
                index=0,
                start=0,
                stop=COUNT,
                start_number=1001,
                count=COUNT,
                lo=0.1,
                hi=0.9,
                near=1,
                far=100,
                camera=CAMERA,
            )
        ],
        "model": ModelEntry(
            name="embedded",
            quantity="disparity",
            space="affine_invariant",
            license="Apache-2.0",
            commercial=True,
        ),
        "method": "temporal",
        "camera": CAMERA,
        "sequences": {kind: frame_pattern("a clip", kind) for kind in ("depth", "disparity")},
    }
    return Manifest(**(values | changes))


@pytest.fixture
def job(tmp_path):
    """Folder of a finished job of five frames."""
    out = tmp_path / "job"
    writer = SequenceWriter(out, "a clip", SequenceSettings())
    for index in range(COUNT):
        writer.write(*make_frame(index), make_attributes(1001 + index))
    write_manifest(make_manifest(), manifest_path(out))
    return out


@pytest.fixture
def attributes():
    """Maker of frame attributes."""
    return make_attributes


@pytest.fixture
def frame():
    """Maker of frames."""
    return make_frame


@pytest.fixture
def manifest():
    """Maker of manifests."""
    return make_manifest
