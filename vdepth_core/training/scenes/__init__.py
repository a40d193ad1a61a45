"""Procedural scenes with exact depth, camera and optical flow: training data, and truth for tests."""

from .clip import SceneClip, render_clip

__all__ = ["SceneClip", "render_clip"]
