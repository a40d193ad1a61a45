"""How a camera turns light into a picture: exposure, white balance, tone curve, softness, vignette, noise."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Look:
    """One camera's response."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.key = rng.uniform(0.2, 0.5)
        self.balance = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
        self.shoulder = rng.uniform(0.0, 1.0)
        self.contrast = rng.uniform(0.9, 1.5)
        self.blur = rng.uniform(0.35, 0.8)
        self.vignette = rng.uniform(0, 0.35) * (rng.uniform() < 0.5)
        self.noise = np.exp(rng.uniform(np.log(0.001), np.log(0.012)))

    def exposure(self, linear: Tensor) -> float:
        """Gain that brings the picture's middle to the key.

        Args:
            linear: (3, H, W) linear light.
        """
        light = linear.mean(0)
        return float(self.key / (0.5 * light.median() + 0.5 * light.mean() + 1e-4))

    def develop(self, linear: Tensor, rng: np.random.Generator, noise: bool) -> Tensor:
        """(3, H, W) linear light -> display-referred [0, 1].

        Args:
            linear: Times its `exposure`.
            rng: Decides the noise.
            noise: Whether there is any.
        """
        _, height, width = linear.shape
        device = linear.device
        balance = torch.from_numpy(self.balance).to(device)[:, None, None]
        image = soften(linear.clamp(min=0), self.blur) * balance
        x, y = torch.arange(width, device=device) / width, torch.arange(height, device=device) / height
        image = image * (1 - self.vignette * 2 * ((x - 0.5) ** 2 + (y[:, None] - 0.5) ** 2))
        image = self.key * (image / self.key) ** self.contrast
        soft = image / (1 + 0.6 * image)
        image = (image * (1 - self.shoulder) + self.shoulder * soft).clamp(0, 1)
        image = torch.where(
            image < 0.0031308, 12.92 * image, 1.055 * image.clamp(min=1e-6) ** (1 / 2.4) - 0.055
        )
        if noise:  # drawn on the host: the same on every device
            grain = rng.normal(0, self.noise, (height, width, 3)).astype(np.float32).transpose(2, 0, 1)
            image = image + torch.from_numpy(grain).to(device) * (0.5 + image)
        return image.clamp(0, 1)


def soften(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (C, H, W); the border is mirrored.

    Args:
        image: Larger than the kernel's half, 4 ``sigma``.
        sigma: In pixels, above 0.
    """
    half = max(1, round(4 * sigma))
    steps = torch.arange(-half, half + 1, device=image.device, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    padded = F.pad(image[:, None], (half, half, half, half), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))[:, 0]
