"""Slurm: job arrays, and a script that sends them with what waits for them."""

from __future__ import annotations

import re
import shlex

from .chunks import FarmJob

SEND = "submit.sh"
_ARRAY = 1000  # a cluster's MaxArraySize is 1001 unless somebody changed it


def files(job: FarmJob) -> dict[str, str]:
    """The arrays, the end, and the script that sends them.

    Args:
        job: What to run.
    """
    chunks, made, send = job.chunks, dict[str, str](), ["ids="]
    for start in range(0, len(chunks), _ARRAY):
        some = chunks[start : start + _ARRAY]
        cases = "\n".join(
            f"{number}) exec {shlex.join(job.words(chunk))} ;;" for number, chunk in enumerate(some)
        )
        name = f"estimate_{start // _ARRAY + 1}.sbatch"
        gpu = "#SBATCH --gpus=1\n" if job.gpu else ""
        body = f'case "$SLURM_ARRAY_TASK_ID" in\n{cases}\nesac\n'
        made[name] = f"{_head(job)}#SBATCH --array=0-{len(some) - 1}\n#SBATCH --requeue\n{gpu}\n{body}"
        send.append(f'ids="$ids:$(sbatch --parsable "$@" {name} | cut -d";" -f1)"')
    if job.finish is not None:
        made["finish.sbatch"] = f"{_head(job)}\nexec {shlex.join(job.finish)}\n"
        # whatever failed: what is whole is put together
        send.append('sbatch --dependency="afterany$ids" "$@" finish.sbatch')
    first = (
        "#!/bin/bash\n# Options given to this script go to every sbatch: submit.sh --partition=gpu\nset -eu\n"
    )
    made[SEND] = f'{first}cd "$(dirname "$0")"\n' + "\n".join(send) + "\n"
    return made


def how(folder: str) -> str:
    """How the job is sent.

    Args:
        folder: Where its files are, for a shell.
    """
    return f"bash {folder}/{SEND}"


def _head(job: FarmJob) -> str:
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", job.name)[:60]
    return f"#!/bin/bash\n#SBATCH --job-name=vdepth_{name}\n#SBATCH --ntasks=1\n"
