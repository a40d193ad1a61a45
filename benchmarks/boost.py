"""Time of boosting: the published plan, one estimate and merge after the other, over ours; and 8K memory.

    python benchmarks/boost.py [CLIP] [--frames 2] [--model NAME] [--merge transfer] [--large 7680x4320]

Both get the same pictures, model, merge and patches: those of our plan of the shot. Ours includes the plain
estimate and the filter along the flow; planning is left out of both. CPU seconds count, so that a busy
machine does not matter; the clock's are printed, too. The second figure is the peak resident memory of
`vdepth estimate --boost` on a clip of that size, model included, beside that without ``--boost``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from footage import machine, make_clip
from memory_large import peak_gb

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.methods.framewise import Framewise
from vdepth_core.models.device import cpu_threads, set_threads
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import network_size
from vdepth_core.progress import Progress
from vdepth_core.refiners.boost.boost import Boost
from vdepth_core.refiners.boost.estimates import estimates_of, training_size
from vdepth_core.refiners.boost.image_plan import ImagePlan
from vdepth_core.refiners.boost.merges.registry import load_merge
from vdepth_core.refiners.boost.options import BoostOptions
from vdepth_core.refiners.boost.published import boost_planned
from vdepth_core.refiners.boost.shot_plan import plan_shot
from vdepth_core.store import DepthStore
from vdepth_core.types import Shot

LIMIT_GB = 2.0  # for frames of 8K


def now() -> np.ndarray:
    """CPU seconds of this process, and the clock's."""
    return np.array((time.process_time(), time.perf_counter()))


def seconds(path: Path, frames: int, name: str, merge: str) -> tuple[np.ndarray, np.ndarray]:
    """Seconds a frame of the serial published way, and of ours; each of the CPU and of the clock."""
    clip = open_clip(path)
    shot = Shot(0, 0, frames)
    view, info = ShotView(clip, shot), clip.info
    model = load_model(name, "cpu", "fp32")
    height, width = network_size(info.width, info.height, info.pixel_aspect, model.spec)
    set_threads(cpu_threads(model, (height, width), Progress()))
    boost = Boost(BoostOptions(merge=merge))
    plan = plan_shot(view, training_size(model.spec), boost.options.max_size, Progress())
    print(f"{path.name}: R20 {plan.whole}, {len(plan.patches)} patches of {plan.size[1]}x{plan.size[0]}")
    rgb = [frame.rgb for frame in view.frames()]

    with (
        tempfile.TemporaryDirectory() as folder,
        DepthStore(Path(folder) / "s", frames, height, width) as store,
    ):
        began = now()
        Framewise().run(view, model, store, Progress())
        Framewise().settle(shot, model.spec, store, Progress())
        plain = now() - began
        out = store.open_refined("boost", *boost.size(info, model.spec, (height, width)))
        store.save("refined.plan", plan.to_json())
        began = now()
        boost.refine(view, model, store, out, Progress())
        ours = plain + now() - began

    picture = ImagePlan(plan.base, plan.whole, plan.size, plan.patches)
    put, estimate = load_merge(merge, "cpu"), estimates_of(model)
    began = now()
    for one in rgb:
        boost_planned(one, picture, estimate, put)
    return (now() - began) / frames, ours / frames


def memory(size: str) -> tuple[float, float]:
    """Peak GB of the command on a clip of ``size``, without and with boosting."""
    width, height = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        clip = make_clip(Path(name) / "large.mp4", width, height, 2)
        command = [sys.executable, "-m", "vdepth_core", "estimate", str(clip), "--model", "embedded"]
        plain = peak_gb([*command, "-o", f"{name}/plain"])
        return plain, peak_gb([*command, "-o", f"{name}/out", "--boost"])


def main() -> None:
    """Prints both figures and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--merge", default="transfer")
    parser.add_argument("--large", default="7680x4320", help="0: leave out the memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = options.clip or make_clip(Path(name) / "hd.mp4", 1920, 1080, options.frames)
        published, ours = seconds(clip, options.frames, options.model, options.merge)
    for what, index in (("CPU", 0), ("clock", 1)):
        print(f"{what}: published, serial {published[index]:.2f} s/frame; ours {ours[index]:.2f} s/frame")
    facts: dict[str, object] = {}
    if options.large != "0":
        plain, peak = memory(options.large)
        print(
            f"{options.large}: peak {peak:.2f} GB, without --boost {plain:.2f} GB; the limit is {LIMIT_GB} GB"
        )
        facts = {"peak_gb": round(peak, 2), "peak_plain_gb": round(plain, 2)}
    facts = {
        "benchmark": "boost",
        "ratio": round(float(published[0] / ours[0]), 2),
        "ours": round(float(ours[0]), 2),
        "baseline": round(float(published[0]), 2),
        "unit": "CPU s/frame",
        **facts,
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
