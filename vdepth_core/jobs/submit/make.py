"""No farm at all: a Makefile, and the same commands as a list for GNU parallel or any other runner."""

from __future__ import annotations

from .chunks import FarmJob, one_line

MAKEFILE, COMMANDS, FINISH = "Makefile", "commands.txt", "finish.txt"
_HEAD = """\
# make -j 2: two at a time, and on past a bad one; what is whole is put together whatever failed
failed := $(shell mktemp -u)
tolerant = $(if $(filter-out all,$(MAKECMDGOALS)),, || echo $@ >> $(failed))
"""
_TELL = "if [ -e $(failed) ]; then echo Failed: `cat $(failed)` >&2; rm $(failed); exit 1; fi; exit $$code"


def files(job: FarmJob) -> dict[str, str]:
    """The Makefile, and a command a line.

    Args:
        job: What to run.

    Raises:
        UsageError: a name holds a line break.
    """
    lines = [one_line(job.words(chunk), "make") for chunk in job.chunks]
    targets = [f"chunk_{number}" for number in range(1, len(lines) + 1)]
    rules = [
        f"{target}:\n\t{line.replace('$', '$$')}$(tolerant)\n"
        for target, line in zip(targets, lines, strict=True)
    ]
    made = {COMMANDS: "".join(f"{line}\n" for line in lines)}
    end = ""
    if job.finish is not None:
        line = one_line(job.finish, "make")
        made[FINISH] = f"{line}\n"
        end = f"{line.replace('$', '$$')} || code=$$?; "
    made[MAKEFILE] = (
        f"{_HEAD}parts := {' '.join(targets)}\n.PHONY: all $(parts)\n"
        f"all: $(parts)\n\t@code=0; {end}{_TELL}\n\n" + "\n".join(rules)
    )
    return made


def how(folder: str) -> str:
    """How it is run.

    Args:
        folder: Where its files are, for a shell.
    """
    return f"make -C {folder} -j 2    (or: parallel -j 2 < {folder}/{COMMANDS}, then {folder}/{FINISH})"
