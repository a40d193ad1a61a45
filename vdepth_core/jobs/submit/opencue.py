"""OpenCue: an outline, the Python script that its ``pycuerun`` takes."""

from __future__ import annotations

import re

from .chunks import FarmJob

_SCRIPT = '''\
"""A vdepth job for OpenCue: pycuerun launches it (pip install opencue_pyoutline)."""

from outline.modules.shell import ShellCommand, ShellSequence

CHUNKS = [
{chunks}
]
FINISH = {finish}

estimate = ShellSequence("estimate", commands=CHUNKS{gpu})
if FINISH:
    ShellCommand("finish", command=FINISH).depend_all(estimate)
'''


def files(job: FarmJob) -> dict[str, str]:
    """The outline.

    Args:
        job: What to run.
    """
    lines = "\n".join(f"    {job.words(chunk)!a}," for chunk in job.chunks)
    gpu = ", gpus=1" if job.gpu else ""
    return {_name(job): _SCRIPT.format(chunks=lines, finish=ascii(job.finish), gpu=gpu)}


def how(folder: str) -> str:
    """How the job is sent.

    Args:
        folder: Where its files are, for a shell.
    """
    return f"pycuerun {folder}/vdepth_*.py"


def _name(job: FarmJob) -> str:
    """The script's, which becomes the job's."""
    return f"vdepth_{re.sub(r'[^A-Za-z0-9_]+', '_', job.name).strip('_')}.py"
