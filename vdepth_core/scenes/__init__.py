"""Procedural scenes with exact depth, camera, flow and visibility: training data, and truth for tests."""

from .clip import SceneClip, render_clip
from .stream import stream_shards

__all__ = ["SceneClip", "render_clip", "stream_shards"]
