"""New views of procedural scenes against the renderer's own pictures from there, and how fast they come.

    python benchmarks/novel_view.py [--seeds N ...] [--frames N] [--height N] [--apart F] [--speed]

Depth, cameras and lens are exact, so what is measured is the rendering. From the middle frame of a shot whose
camera travels, the view of a camera beside it (``--apart`` of the width for the median depth):
`plain`, every pixel to the nearest place, holes black; `alone`, ours without other frames; `ours`, with a
clean plate fused of the frames around, as `vdepth fuse` does it. PSNR in dB and SSIM (Wang 2004) of the whole
picture. The line of JSON: mean squared error of `plain` over `ours`, means over the scenes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from footage import machine
from skimage.metrics import structural_similarity

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.plates.registration import Registration
from vdepth_core.plates.shot import ShotBackground
from vdepth_core.scenes.clip import set_up
from vdepth_core.scenes.stage import Stage
from vdepth_core.store import FrameArray
from vdepth_core.views.render import Clean, Source, View, render

TRAVEL = 0.012  # of the median depth a frame, sideways
MARGIN = 0.1


class Scene:
    """A shot past a scene, and the picture from beside its middle frame."""

    def __init__(self, seed: int, frames: int, size: tuple[int, int], apart: float) -> None:
        take = set_up(seed, 1, *size, None, False, True, "cpu")
        depth = take.surfaces[0].depth
        near = float(depth[depth.isfinite()].median())
        camera = take.stage.camera
        self.layout = take.layout
        pose = camera.pose(0)
        self.apart = apart * size[1] * near / float(camera.K[0, 0])
        middle = frames // 2
        sides = [(index - middle) * TRAVEL * near for index in range(frames)]
        shown = [self._seen(take, replace(camera, aside=side), size) for side in [*sides, self.apart]]
        self.rgb = [rgb for rgb, _ in shown[:-1]]
        self.z = [z for _, z in shown[:-1]]
        self.truth = shown[-1][0] / 255
        self.lens = Intrinsics(*(float(camera.K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))))
        self.poses = np.tile(pose, (frames, 1, 1))
        for place, side in enumerate(sides):
            self.poses[place, :3, 3] += side * pose[:3, 0]
        self.middle = middle

    @staticmethod
    def _seen(take: object, camera: object, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        stage = Stage(take.stage.scene, camera, size, take.stage.device)  # type: ignore[attr-defined]
        surfaces = stage.cast(1, picky=False)
        light = stage.expose(surfaces, take.effects, aimed=take.surfaces[0])  # type: ignore[attr-defined]
        exposure = take.look.exposure(  # type: ignore[attr-defined]
            take.stage.expose(take.surfaces, take.effects)[0]  # type: ignore[attr-defined]
        )
        clip = take.developed(stage, surfaces, light, exposure, False)  # type: ignore[attr-defined]
        rgb = np.rint(np.moveaxis(clip.rgb[0], 0, -1) * 255).astype(np.uint8)
        z = np.where(np.isfinite(clip.depth[0]), clip.depth[0], 1e10).astype(np.float32)
        return np.ascontiguousarray(rgb), z

    def clean(self) -> Clean:
        """The clean plate of the middle frame."""
        count, (height, width) = len(self.rgb), self.z[0].shape
        margin = (round(width * MARGIN), round(height * MARGIN))
        K = np.array(
            ((self.lens.fx, 0, self.lens.cx - 0.5), (0, self.lens.fy, self.lens.cy - 0.5), (0, 0, 1))
        )
        with tempfile.TemporaryDirectory() as name:
            plates = FrameArray(Path(name) / "plates.u8", count, (height, width, 3), "u1")
            still = FrameArray(Path(name) / "still.u8", count, (height, width), "u1")
            for index, rgb in enumerate(self.rgb):
                plates.write(index, rgb[None])
                still.write(index, np.full((1, height, width), 255, np.uint8))
            found = Registration(self.poses, K, 1.0, 0.0, np.ones(count, bool), 1, still)
            shown = ShotBackground(lambda index: 1 / self.z[index], found, plates, (height, width), margin)
            rgb, q, known = shown.fused(self.middle)
            plates.close()
            still.close()
        return Clean(
            rgb, np.where(known & (q > 2e-10), 1 / np.maximum(q, 2e-10), 1e10).astype(np.float32), margin
        )

    def source(self) -> Source:
        """The middle frame."""
        q = 1 / self.z[self.middle]
        low, high = np.quantile(q, (0.002, 0.998))
        return Source(self.rgb[self.middle], self.z[self.middle], self.lens, float(high - low))

    def view(self) -> View:
        """The camera beside it."""
        motion = np.eye(4)
        motion[0, 3] = -self.apart
        return View(motion, self.lens, self.z[0].shape)


def plain(rgb: np.ndarray, z: np.ndarray, shift: float) -> np.ndarray:
    """Every pixel to the nearest place, the nearest surface wins, holes are black."""
    height, width = z.shape
    out = np.zeros(rgb.shape)
    x = np.rint(np.arange(width) - shift / z).astype(int)
    y = np.repeat(np.arange(height)[:, None], width, 1)
    inside = (x >= 0) & (x < width)
    order = np.argsort(-z[inside], kind="stable")
    out[y[inside][order], x[inside][order]] = rgb[inside][order] / 255
    return out


def scores(found: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean squared error, and SSIM with the window and constants of Wang 2004."""
    similar = structural_similarity(
        truth,
        found,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(np.square(found - truth).mean()), float(similar)


def speed(scene: Scene) -> tuple[float, float]:
    """Seconds and CPU seconds a frame."""
    source, view = scene.source(), scene.view()
    render(source, view)
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(3):
        render(source, view)
    return (time.perf_counter() - began) / 3, (time.process_time() - spent) / 3


def main() -> None:
    """Prints the table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 8, 12])
    parser.add_argument("--frames", type=int, default=9)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--apart", type=float, default=0.03)
    parser.add_argument("--speed", action="store_true", help="of a 720p frame, too")
    options = parser.parse_args()
    size = (options.height, options.height * 16 // 9)
    table: dict[str, list[tuple[float, float]]] = {"plain": [], "alone": [], "ours": []}
    holes, filled = 0.0, 0.0
    for seed in options.seeds:
        scene = Scene(seed, options.frames, size, options.apart)
        source, view = scene.source(), scene.view()
        helped = render(source, view, scene.clean())
        ways = {
            "plain": plain(source.rgb, source.z, scene.apart * scene.lens.fx),
            "alone": render(source, view).rgb,
            "ours": helped.rgb,
        }
        holes, filled = holes + helped.holes, filled + helped.found
        for way, picture in ways.items():
            mse, similar = scores(picture.astype(np.float64), scene.truth)
            table[way].append((mse, similar))
            print(
                f"{seed:3} {scene.layout:12} {way:6} PSNR {-10 * np.log10(mse):6.2f}  SSIM {similar:.4f}",
                flush=True,
            )
        share = helped.found / helped.holes
        print(f"    holes {100 * helped.holes:.2f} %, other frames {100 * share:.1f} % of them")
    means = {way: np.mean(rows, 0) for way, rows in table.items()}
    for way, (mse, similar) in means.items():
        print(f"mean {way:6} PSNR {-10 * np.log10(mse):6.2f}  SSIM {similar:.4f}")
    facts: dict[str, object] = {
        "benchmark": "novel_view",
        "ratio": round(means["plain"][0] / means["ours"][0], 2),
        "ours": float(f"{means['ours'][0]:.4g}"),
        "baseline": float(f"{means['plain'][0]:.4g}"),
        "unit": "mean squared error",
        "over_alone": round(means["alone"][0] / means["ours"][0], 2),
        "filled_from_frames": round(filled / holes, 3),
    }
    if options.speed:
        wall, spent = speed(Scene(options.seeds[0], 1, (720, 1280), options.apart))
        facts |= {"fps_720p": round(1 / wall, 2), "cpu_s_720p": round(spent, 2)}
    print(json.dumps({**facts, "machine": machine()}))


if __name__ == "__main__":
    main()
