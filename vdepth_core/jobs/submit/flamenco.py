"""Flamenco: a job type for its manager, installed once, and a job of it as its API takes it."""

from __future__ import annotations

import json
import sys

from .chunks import FarmJob

JOB_TYPE, JOB = "vdepth.js", "job.json"

_SCRIPT = """\
// Job type of vdepth (https://pypi.org/project/vdepth): put it into the scripts folder of Flamenco Manager.
// The setting `commands` is JSON: {"chunks": [{"name": "...", "words": [...]}], "finish": [...] or null}.
const JOB_TYPE = {
    label: "Video depth (vdepth)",
    settings: [
        { key: "commands", type: "string", required: true, visible: "web",
          description: "Chunks that may run in any order, and what runs when all are done; as JSON" },
    ],
};

function vdepthTask(name, words) {
    const task = author.Task(name, "misc");
    task.addCommand(author.Command("exec", { exe: words[0], args: words.slice(1) }));
    return task;
}

function compileJob(job) {
    const commands = JSON.parse(job.settings.commands);
    const chunks = [];
    for (let chunk of commands.chunks) {
        const task = vdepthTask(chunk.name, chunk.words);
        job.addTask(task);
        chunks.push(task);
    }
    if (commands.finish) {
        const last = vdepthTask("finish", commands.finish);
        for (let task of chunks) {
            last.addDependency(task);
        }
        job.addTask(last);
    }
}
"""


def files(job: FarmJob) -> dict[str, str]:
    """The job type, and the body of a request that makes a job of it.

    Args:
        job: What to run.
    """
    chunks = [{"name": job.title(chunk), "words": job.words(chunk)} for chunk in job.chunks]
    commands = json.dumps({"chunks": chunks, "finish": job.finish}, ensure_ascii=False)
    platform = {"win32": "windows", "darwin": "darwin"}.get(sys.platform, "linux")
    body = {
        "name": f"vdepth {job.name}",
        "type": "vdepth",
        "priority": 50,
        "submitter_platform": platform,
        "settings": {"commands": commands},
        "metadata": {"project": "vdepth"},
    }
    return {JOB_TYPE: _SCRIPT, JOB: json.dumps(body, indent=1, ensure_ascii=False) + "\n"}


def how(folder: str) -> str:
    """How the job is sent.

    Args:
        folder: Where its files are, for a shell.
    """
    return (
        f"put {folder}/{JOB_TYPE} into the manager's scripts folder once, then: curl -H 'Content-Type: "
        f"application/json' -d @{folder}/{JOB} http://MANAGER:8080/api/v3/jobs"
    )
