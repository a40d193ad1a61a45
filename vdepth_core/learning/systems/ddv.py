"""DDV (Johnston & Carneiro, CVPR 2020): Monodepth2's training of a network with discrete disparities."""

from __future__ import annotations

from .monodepth2 import Monodepth2


class Ddv(Monodepth2):
    """What is new is the network; loss, poses and course are Monodepth2's."""

    name = "ddv"
    network = "ddv"
    pose_kinds = ("separate", "cnn")  # its encoder is no ResNet to share
