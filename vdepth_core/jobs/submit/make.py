"""No farm at all: a Makefile, and the same commands as a list for GNU parallel or any other runner."""

from __future__ import annotations

from .chunks import FarmJob, one_line

MAKEFILE, COMMANDS, FINISH = "Makefile", "commands.txt", "finish.txt"


def files(job: FarmJob) -> dict[str, str]:
    """The Makefile, and a command a line.

    Args:
        job: What to run.

    Raises:
        UsageError: a name holds a line break.
    """
    lines = [one_line(job.words(chunk), "make") for chunk in job.chunks]
    targets = [f"chunk_{number}" for number in range(1, len(lines) + 1)]
    rules = [f"{target}:\n\t{line.replace('$', '$$')}\n" for target, line in zip(targets, lines, strict=True)]
    made = {COMMANDS: "".join(f"{line}\n" for line in lines)}
    end = "all: chunks\n"
    if job.finish is not None:
        line = one_line(job.finish, "make")
        made[FINISH] = f"{line}\n"
        line = line.replace("$", "$$")
        # what is whole is put together whatever failed, and make says at the end that something did
        end = f"all:\n\t@code=0; $(MAKE) -k chunks || code=$$?; {line} || code=$$?; exit $$code\n"
    text = f"# make -j 2 -k: two at a time, and on past a bad one\nparts := {' '.join(targets)}\n"
    made[MAKEFILE] = f"{text}.PHONY: all chunks $(parts)\n{end}\nchunks: $(parts)\n\n" + "\n".join(rules)
    return made


def how(folder: str) -> str:
    """How it is run.

    Args:
        folder: Where its files are, for a shell.
    """
    return f"make -C {folder} -j 2 -k    (or: parallel -j 2 < {folder}/{COMMANDS}, then {folder}/{FINISH})"
