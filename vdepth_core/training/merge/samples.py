"""What a merge network learns from: pairs of estimates of one picture, and what should become of them.

The published recipe (Miangoleh et al., CVPR 2021) makes both inputs of a pair by guided filtering, so that
they agree with the target in what the merge should take from them: the sharp one has the target's edges, the
soft one the target's large shapes. Where the truth is known it is the target; of other pictures it is an
estimate at a higher resolution. Estimates as they are teach less: their edges lie a pixel or two from the
truth's, and a network that cannot know where makes every edge soft (10 % less boundary F1 than the transfer).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from ...files import atomic_path
from ...flow.guided import spread_by_guide
from ...methods.frames import to_disparity
from ...models.sizing import network_size, prepare
from ...protocols import DepthModel
from ...refiners.boost.merges.transfer import Transfer, standardised

SIDE = 192  # pixels of a crop
CROPS = 8  # of a picture
HEIGHTS = (544, 720, 1080)  # of the scenes' pictures
TIMES = (2.0, 3.0)  # how much larger the network sees the sharp estimate's picture
BEST = 4.0  # how much larger that of a target without truth
_RADIUS = 16  # of the map's shorter side: one such share is the filter's radius; published: 64 of 1024
_EPSILON = 1e-8  # published


def scene_crops(path: Path, seed: int, model: DepthModel) -> np.ndarray:
    """Crops of a procedural scene, made once and kept in a file, which is only a cache.

    Args:
        path: The file.
        seed: Decides everything.
        model: What estimates.

    Returns:
        (CROPS, 4, SIDE, SIDE) float16: low, high, what the transfer makes of them, target; standardised as
        the merge does it, the target as low.
    """
    if not path.exists():
        from ...scenes import render_clip

        rng = np.random.default_rng(seed)
        height = int(rng.choice(HEIGHTS))
        clip = render_clip(seed, 1, height, height * 16 // 9)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        _keep(path, _pair(rgb, model, rng, 1 / clip.depth[0].astype(np.float64)), rng)
    return _kept(path)


def picture_crops(path: Path, rgb: np.ndarray, model: DepthModel) -> np.ndarray:
    """Crops of a user's picture, as `scene_crops` of a scene.

    Args:
        path: The cache.
        rgb: (H, W, 3) uint8.
        model: What estimates.
    """
    if not path.exists():
        rng = np.random.default_rng(rgb.shape[:2])
        _keep(path, _pair(rgb, model, rng, None), rng)
    return _kept(path)


def _pair(
    rgb: np.ndarray, model: DepthModel, rng: np.random.Generator, truth: np.ndarray | None
) -> np.ndarray:
    """(4, H, W) float32; see `scene_crops`."""
    low, high = _estimate(rgb, model, 1), _estimate(rgb, model, rng.uniform(*TIMES))
    target = _estimate(rgb, model, BEST) if truth is None else _unit(truth)
    return _standard(_filtered(low, target), _filtered(target, high), target)


def _estimate(rgb: np.ndarray, model: DepthModel, times: float) -> np.ndarray:
    """Inverse depth (H, W), 0..1, as the network says seeing the picture ``times`` its usual size."""
    height, width = rgb.shape[:2]
    size = network_size(width, height, Fraction(1), model.spec, round(times * model.spec.native_size))
    frames = prepare(model, torch.from_numpy(rgb)[None], size)
    raw = to_disparity(model.predict(frames)[0].float().cpu().numpy(), model.spec)
    large = cv2.resize(raw, (width, height), interpolation=cv2.INTER_CUBIC)
    return _unit(np.asarray(large, np.float64))


def _unit(maps: np.ndarray) -> np.ndarray:
    unit: np.ndarray = (maps - maps.min()) / max(float(np.ptp(maps)), 1e-12)
    return unit


def _filtered(guide: np.ndarray, values: np.ndarray) -> np.ndarray:
    radius = max(1, min(guide.shape) // _RADIUS)
    return spread_by_guide(guide, values, np.ones_like(guide), radius, _EPSILON)


def _standard(low: np.ndarray, high: np.ndarray, target: np.ndarray) -> np.ndarray:
    maps = [torch.from_numpy(each).float()[None, None] for each in (low, high, target)]
    unit, centre, spread = standardised(maps[0])
    guide, _, _ = standardised(maps[1])
    aim = (maps[2] - centre) / spread
    return torch.cat((unit, guide, Transfer()(unit, guide), aim), 1)[0].numpy()


def _keep(path: Path, maps: np.ndarray, rng: np.random.Generator) -> None:
    """Writes crops of a pair; of three places that with the most edges is taken."""
    height, width = maps.shape[1:]
    maps = np.pad(maps, ((0, 0), (0, max(SIDE - height, 0)), (0, max(SIDE - width, 0))), mode="edge")
    found = []
    for _ in range(CROPS):
        crops = []
        for _ in range(3):
            y, x = (int(rng.integers(side - SIDE + 1)) for side in maps.shape[1:])
            crops.append(maps[:, y : y + SIDE, x : x + SIDE])
        found.append(max(crops, key=_edges))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.clip(np.stack(found), -1e4, 1e4).astype(np.float16))


def _edges(crop: np.ndarray) -> float:
    """How much the target changes from pixel to pixel, where it changes at once."""
    return float((np.diff(crop[3], axis=0) ** 2).sum() + (np.diff(crop[3], axis=1) ** 2).sum())


def _kept(path: Path) -> np.ndarray:
    crops: np.ndarray = np.load(path)
    return crops
