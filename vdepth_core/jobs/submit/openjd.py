"""Open Job Description: a template for AWS Deadline Cloud, or any other worker that speaks it."""

from __future__ import annotations

import json
from typing import Any

from ...errors import UsageError
from .chunks import FarmJob

TEMPLATE = "template.json"
_RANGE = 1000  # values of a task parameter; the specification allows 1024
_NAME = 100  # letters of a job's name; it allows 128


def files(job: FarmJob) -> dict[str, str]:
    """The template. Clips and folders are paths, so that a farm's rules map them to its own disks.

    Args:
        job: What to run.

    Raises:
        UsageError: a name holds what the format takes for a variable.
    """
    texts = [str(path) for pair in job.clips for path in pair] + [*job.options, str(job.out), *job.program]
    for text in texts:
        if "{{" in text:
            raise UsageError(f"{text} holds {{{{, which an OpenJD template cannot say.", "Rename it.")
    starts = range(0, len(job.clips), _RANGE)
    steps = [
        _estimate(job, start, f"Estimate{'' if len(starts) == 1 else start // _RANGE + 1}")
        for start in starts
    ]
    if job.finish is not None:
        waits = [{"dependsOn": step["name"]} for step in steps]
        steps.append({"name": "Finish", "dependencies": waits, "script": _script(job.finish)})
    printable = "".join(letter if letter.isprintable() else "_" for letter in job.name)
    template = {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"vdepth {printable[:_NAME]}".replace("{{", "_"),
        "steps": steps,
    }
    return {TEMPLATE: json.dumps(template, indent=1, ensure_ascii=False) + "\n"}


def how(folder: str) -> str:
    """How the job is sent.

    Args:
        folder: Where its files are, for a shell.
    """
    return f"deadline bundle submit {folder}    (or, here: openjd run {folder}/{TEMPLATE} --step Estimate)"


def _estimate(job: FarmJob, start: int, name: str) -> dict[str, Any]:
    clips = job.clips[start : start + _RANGE]
    parameters: list[dict[str, Any]] = [
        {"name": "Clip", "type": "PATH", "range": [str(clip) for clip, _ in clips]},
        {"name": "Folder", "type": "PATH", "range": [str(out) for _, out in clips]},
    ]
    words = [*job.program, "estimate", "{{Task.Param.Clip}}", "-o", "{{Task.Param.Folder}}", *job.options]
    combination = "(Clip, Folder)"
    if job.shares > 1:
        parameters.append({"name": "Share", "type": "INT", "range": f"1-{job.shares}"})
        words += ["--shard", f"{{{{Task.Param.Share}}}}/{job.shares}"]
        combination += " * Share"
    step: dict[str, Any] = {
        "name": name,
        "parameterSpace": {"taskParameterDefinitions": parameters, "combination": combination},
        "script": _script(words),
    }
    if job.gpu:
        step["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
    return step


def _script(words: list[str]) -> dict[str, Any]:
    return {"actions": {"onRun": {"command": words[0], "args": words[1:]}}}
