"""``vdepth doctor``: checks the installation and says what to fix."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report; ``fix`` is empty when ``ok``."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def doctor(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the installation and say what to fix."""
    checks = run_checks()
    if json_:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            typer.echo(f"{'ok ' if check.ok else 'FIX'}  {check.name:<18} {check.found}")
            if not check.ok:
                typer.echo(f"     {'':<18} -> {check.fix}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def run_checks() -> list[Check]:
    """Runs every check; a check that raises is a finding, never a crash."""
    checks = []
    for name, check, fix in _CHECKS:
        try:
            checks.append(Check(name, True, check()))
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            checks.append(Check(name, False, text, fix))
    return checks


def _python() -> str:
    if sys.prefix == sys.base_prefix:
        return f"{sys.version.split()[0]} (not a virtual environment: fine, but upgrades may collide)"
    return f"{sys.version.split()[0]} in {sys.prefix}"


def _packages() -> str:
    names = (
        *("numpy", "cv2", "av", "OpenEXR", "scenedetect", "pydantic", "safetensors", "jinja2"),
        *("huggingface_hub", "transformers", "diffusers"),
    )
    return ", ".join(f"{name} {importlib.import_module(name).__version__}" for name in names)


def _torch() -> str:
    import torch

    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append(f"cuda ({torch.cuda.get_device_name()})")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return f"torch {torch.__version__}; devices: {', '.join(devices)}"


def _video() -> str:
    import av

    for codec in ("h264", "hevc", "vp9", "prores", "mpeg2video"):
        av.Codec(codec, "r")
    encoder = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    av.Codec(encoder, "w")
    return f"PyAV {av.__version__}, previews with {encoder}"


def _exr() -> str:
    import numpy as np

    from ..output.exr import read_exr, write_exr

    plane = np.linspace(1, 100, 12, dtype=np.float32).reshape(3, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.exr"
        write_exr(path, {"Z": plane, "Y": plane}, {})
        channels, _ = read_exr(path)
    if not np.array_equal(channels["Z"], plane):
        raise RuntimeError("an EXR did not read back as it was written")
    return "written and read back exactly"


def _embedded() -> str:
    import torch

    from ..models.registry import load_model

    model = load_model("embedded", "cpu", "fp32")
    side = model.spec.multiple * 2
    disparity = model.predict(torch.linspace(0, 1, 3 * side * side).reshape(1, 3, side, side))
    if not torch.isfinite(disparity).all():
        raise RuntimeError("the embedded model predicts non-finite values")
    return f"{model.spec.parameters / 1e6:.2f} M parameters, {model.spec.weights_sha256[:12]}"


def _runtime() -> str:
    from ..models.runtime import onnx_runtime

    found = onnx_runtime()
    if found is None:
        return "torch on the CPU, too; pip install 'vdepth[fast]' brings ONNX Runtime, about twice as fast"
    import onnx  # noqa: F401  (the exporter's)
    import onnxruntime  # noqa: F401

    return f"{found} on the CPU, torch on accelerators and for what it does not run"


def _weights() -> str:
    from ..files import free_space
    from ..weights.location import weights_folder

    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder):
        free = free_space(folder)
    return f"{folder} ({free / 1e9:.0f} GB free)"


def _plugins() -> str:
    from ..adaptation.recipes import RECIPES
    from ..jobs.config import EstimateConfig  # noqa: F401  (refuses options whose names are taken)
    from ..methods.registry import METHODS
    from ..models.registry import broken_plugins, list_models
    from ..output.exports.registry import EXPORTERS
    from ..refiners.registry import REFINERS

    for reason in broken_plugins().values():
        raise RuntimeError(reason)
    seams = (METHODS, REFINERS, EXPORTERS, RECIPES)
    for seam in seams:
        for reason in seam.broken().values():
            raise RuntimeError(reason)
    names = [model.name for model in list_models()]
    return ", ".join(sorted(names + [name for seam in seams for name in seam.names()]))


_REINSTALL = "Reinstall: pip install --force-reinstall -c constraints.txt vdepth"
_CHECKS: list[tuple[str, Callable[[], str], str]] = [
    ("python", _python, "Install Python 3.11 or newer and make a fresh virtual environment."),
    ("packages", _packages, _REINSTALL),
    ("torch", _torch, "Install torch for this machine as pytorch.org says, then run this again."),
    ("video", _video, "Reinstall PyAV from a wheel: pip install --force-reinstall --only-binary :all: av"),
    ("exr", _exr, _REINSTALL),
    ("embedded model", _embedded, _REINSTALL),
    (
        "runtime",
        _runtime,
        "Reinstall: pip install --force-reinstall 'vdepth[fast]', or uninstall onnxruntime.",
    ),
    ("weights folder", _weights, "Set VDEPTH_WEIGHTS to a folder you may write to."),
    ("plug-ins", _plugins, "Uninstall or update the package that provides it."),
]
