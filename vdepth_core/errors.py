"""The error tree: every failure is one sentence that names the thing, and a hint for the next step.

The exit codes are part of the command-line contract: 0 done, 1 internal, 2 usage, 3 bad input, 4 missing or
invalid weights, 5 out of resources, 130 cancelled.
"""

from __future__ import annotations

import errno


class VdepthError(Exception):
    """Base of all errors vdepth raises on purpose.

    Attributes:
        message: One sentence that names the file, option or model at fault.
        hint: The next step for the user; may be empty.
        code: A stable machine-readable word, used in events.
        exit_code: The process exit code.
    """

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(VdepthError):
    """The options contradict each other, or name something that does not exist."""

    code = "usage"
    exit_code = 2


class JobConflictError(UsageError):
    """The output folder holds a job with another configuration."""

    code = "job_conflict"


class InputError(VdepthError):
    """A clip, image or data file cannot be used."""

    code = "bad_input"
    exit_code = 3


class WeightsError(VdepthError):
    """Weights are missing, damaged, of the wrong layout, or not allowed to be used."""

    code = "weights"
    exit_code = 4


class ResourceError(VdepthError):
    """Disk full, folder not writable, or out of memory."""

    code = "resources"
    exit_code = 5


class Cancelled(VdepthError):
    """The user asked to stop; what is done stays done."""

    code = "cancelled"
    exit_code = 130


def as_vdepth_error(error: BaseException) -> VdepthError:
    """The sentence, hint and exit code for whatever went wrong."""
    if isinstance(error, VdepthError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled("Cancelled.", "Run the same command again to go on where it stopped.")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return ResourceError(
            f"The disk is full ({error.filename or 'while writing'}).",
            "Free some space and run the same command again: what is done stays done.",
        )
    if isinstance(error, OSError) and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ResourceError(
            f"{error.filename or 'The output folder'} cannot be written.", "Choose another folder with -o."
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return ResourceError("Out of memory.", "Use a smaller --size, or close other programs.")
    text = " ".join(str(error).split()) or type(error).__name__
    return VdepthError(f"Internal error: {text}.", "Run with --debug to see where, and report it.")
