"""Procedural scenes with exact depth, camera, flow and visibility: training data, and truth for tests."""

from .clip import SceneClip, render_clip
from .stereo import StereoClip, render_stereo
from .stream import stream_shards

__all__ = ["SceneClip", "StereoClip", "render_clip", "render_stereo", "stream_shards"]
