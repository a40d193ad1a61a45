"""DIFFNet (Zhou et al., BMVC 2021): Monodepth2's training of an HRNet with fused features."""

from __future__ import annotations

from .monodepth2 import Monodepth2
from .system import Course


class DiffNet(Monodepth2):
    """What is new is the network; loss and poses are Monodepth2's, the course nearly."""

    name = "diffnet"
    network = "diffnet"
    pose_kinds = ("separate", "cnn")  # its encoder is no ResNet to share
    course = Course(batch=16, drops=(14,))
