"""The model card a training writes beside its weights: what went in, under which licences, what came out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import torch

from ..files import write_bytes
from ..version import __version__
from .architectures import empty
from .curves import SMOOTHED
from .sources import Source, share

if TYPE_CHECKING:
    import numpy as np

    from ..learning.checkpoint import Counters
    from .config import TrainConfig

UNKNOWN = "not stated: put a LICENSE file beside it"
_KNOWN = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"SPDX-License-Identifier:\s*(.+)", ""),
        (r"Permission is hereby granted, free of charge, to any person", "MIT"),
        (r"(Apache License\s+Version [\d.]+)", ""),
        (r"Redistribution and use in source and binary forms", "BSD"),
        (r"(?i)(GNU (?:Lesser |Affero )?General Public License)", ""),
        (r"(Creative Commons (?:[A-Z]\w*[- ]?)+(?:\d\.\d)?)", ""),
        (r"(CC[ -](?:0|BY)[-A-Z \d.]*\d)", ""),
    )
)
_NAMES = re.compile(r"(licen[cs]e|copying)([-_.].*)?", re.IGNORECASE)


def licences_of(path: Path) -> str:
    """What is said about the licence of a file or a folder of data.

    Looked at, in this order: ``PATH.license`` (the REUSE convention), files named LICENSE or COPYING in the
    folder, and those of its sub-folders, two deep, for folders that are made of several works.

    Args:
        path: Of the data.

    Returns:
        The SPDX identifiers in these files, or what else names the licence; `UNKNOWN` if there are none.
    """
    path = path.resolve()  # also where it is called "."
    beside = path.with_name(f"{path.name}.license")
    folder = path if path.is_dir() else path.parent
    own = [beside] if beside.is_file() else _files(folder)
    if not own and path.is_dir():
        own = [file for sub in ("*", "*/*") for inner in sorted(folder.glob(sub)) for file in _files(inner)]
    return ", ".join(dict.fromkeys(map(_summary, own))) or UNKNOWN


def keep_licence(data: Path, folder: Path) -> None:
    """Writes what is said about the licence of data into a folder that was made of it, if anything is.

    Args:
        data: As of `licences_of`.
        folder: Of shards.
    """
    if (licence := licences_of(data)) != UNKNOWN:
        (folder / "LICENSE").write_text(f"{licence}\n", encoding="utf-8")


def label(data: Path, look: np.ndarray, folder: Path) -> None:
    """Puts what goes with shards into their folder: ``look.png``, and the licence of what they are made of.

    Args:
        data: As of `licences_of`.
        look: (H, W, 3) uint8, BGR; what somebody should see before training on them.
        folder: Of shards.
    """
    cv2.imwrite(str(folder / "look.png"), look)
    keep_licence(data, folder)


def write(out: Path, sources: Sequence[Source], config: TrainConfig, counters: Counters) -> None:
    """Writes ``out`` with the suffix ``.md``, atomically.

    Args:
        out: The weights file.
        sources: What was trained on.
        config: How.
        counters: How far it is, and what it started from.
    """
    shares = [share(source, max(counters.step - 1, 0)) for source in sources]  # of the last step
    rows = [
        f"| {own / sum(shares):.0%} | {source.kind} | {source.contents} | {_origins(source)} |"
        for own, source in zip(shares, sources, strict=True)
    ]
    recent = counters.losses[-SMOOTHED:]
    facts = {
        "Architecture": f"`{config.architecture}`: `{_class_of(config.architecture)}`, float16",
        "Output": "relative inverse depth (disparity), up to one scale and one shift, every frame by itself",
        "Started from": counters.source or "random weights",
        "Seed": str(config.seed),
        "Steps": f"{counters.step}" + (f" of {config.steps}" if config.steps else ""),
        "Hours": f"{counters.elapsed / 3600:.2f}, {config.threads} CPU thread(s)",
        "Processor hours": f"{counters.computed / 3600:.2f}",
        "Batch": f"{config.batch} frame{'s' * (config.batch != 1)}; peak rate {config.rate:g}, of it "
        f"{config.published:g} for published layers, weight decay {config.decay:g}",
        "Temporal loss": f"{config.form}, λ = {config.temporal:g}, σ = {config.sigma:g}"
        if config.temporal
        else "none",
        "Released": f"{config.blend:g} of the way from the start to the moving average of the weights",
        "Training loss": f"{sum(recent) / len(recent):.4f}, mean of the last {_steps(len(recent))}"
        if recent
        else "no step yet",
        "Made with": f"vdepth {__version__}, torch {torch.__version__}",
    }
    lines = [
        f"# {out.stem}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        "## Data",
        "",
        f"Which shard was used from which step on: `{out.with_suffix('.shards.csv').name}`.",
        "",
        "| share of frames | kind | what | from, licence |",
        "|---|---|---|---|",
        *rows,
        "",
        "## Held-out error",
        "",
        "Mean trimmed error after normalisation by median and spread, on frames that were never trained on.",
        "",
        *_errors(counters),
    ]
    write_bytes(out.with_suffix(".md"), ("\n".join(lines) + "\n").encode())


@cache
def _class_of(architecture: str) -> str:
    kind = type(empty(architecture))
    return f"{kind.__module__}.{kind.__qualname__}"


def _errors(counters: Counters) -> list[str]:
    if not counters.history:
        return ["Not measured: the training was stopped before its first validation."]
    kinds = list(counters.history[-1][1])  # another run may have begun with other sources
    rows = [
        f"| {step} | " + " | ".join(f"{scores[k]:.4f}" if k in scores else "" for k in kinds) + " |"
        for step, scores in (counters.history[0], counters.history[-1])
    ]
    return ["| step | " + " | ".join(kinds) + " |", "|---" * (1 + len(kinds)) + "|", *dict.fromkeys(rows)]


def _origins(source: Source) -> str:
    return "; ".join(f"{path.name} ({licences_of(path)})" for path in source.origins) or "made by vdepth"


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.is_file() and _NAMES.fullmatch(file.name))


def _summary(file: Path) -> str:
    text = file.read_text(encoding="utf-8", errors="replace")[:20_000]
    for pattern, name in _KNOWN:
        if found := pattern.search(text):
            return name or " ".join(found.group(1).split())
    first = next((line.strip() for line in text.splitlines() if line.strip()), file.name)
    return first[:80].replace("|", "/")


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"
