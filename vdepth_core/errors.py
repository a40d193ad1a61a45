"""The error tree: every failure is one sentence that names the thing, and a hint for the next step.

The exit codes are part of the command-line contract: 0 done, 1 internal, 2 usage, 3 bad input, 4 missing or
invalid weights, 5 out of resources, 130 cancelled.
"""

from __future__ import annotations

import errno
import os


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


class BusyError(JobConflictError):
    """Another process works in the output folder, now."""


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


class PluginError(VdepthError):
    """Code of another package failed, or gave what nobody can use."""

    code = "plugin"


class Cancelled(VdepthError):
    """The user asked to stop; what is done stays done."""

    code = "cancelled"
    exit_code = 130


def as_vdepth_error(error: BaseException) -> VdepthError:
    """The sentence, hint and exit code for whatever went wrong: the one map at every door.

    Args:
        error: Anything that was raised.
    """
    if isinstance(error, VdepthError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled("Cancelled.", "Run the same command again to go on where it stopped.")
    if _out_of_memory(error):
        return ResourceError("Out of memory.", "Use a smaller --size, or close other programs.")
    if isinstance(error, UnicodeEncodeError) and "surrogates" in str(error):
        return InputError("The name of a file is not UTF-8.", "Rename the file or its folder.")
    if isinstance(error, OSError) and error.errno is not None:
        known = _of_system(error)
        if known is not None:
            return known
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from"):  # pathlib's, to 3.12
        name = str(error).partition("'")[2].rpartition("'")[0]
        return _of_system(OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)) or InputError(str(error))
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return VdepthError(f"Internal error: {text}.", "Run with --debug to see where, and report it.")


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNREADABLE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO,
               getattr(errno, "ESTALE", errno.EIO), errno.ENXIO, errno.ENODEV}  # fmt: skip


def _of_system(error: OSError) -> VdepthError | None:
    """What an error of the operating system means to the user; None where it is our own fault."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in _FULL:
        return ResourceError(
            f"The disk is full ({name or 'while writing'}).",
            "Free some space and run the same command again: what is done stays done.",
        )
    if error.errno in _FORBIDDEN:
        if name and os.path.exists(name) and not os.access(name, os.R_OK):
            return InputError(f"{name} may not be read ({error.strerror}).", "Make it readable.")
        what = name or "The output folder"
        return ResourceError(f"{what} cannot be written.", "Choose another folder with -o.")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ResourceError("Too many files are open.", "Close other programs (or: ulimit -n).")
    if error.errno == errno.EPIPE:
        return ResourceError("Nobody reads the output any more (broken pipe).", "Run the same command again.")
    if error.errno == errno.ENOENT and not name:  # of all calls, the one for the current folder names none
        return InputError("The folder that this runs in does not exist any more.", "Change to another one.")
    if error.errno in _UNREADABLE and name:
        reason = (error.strerror or str(error)).lower()
        return InputError(f"{name} cannot be used: {reason}.", "Check the path: has it been moved?")
    return None


def _out_of_memory(error: BaseException) -> bool:
    """Memory errors of Python, NumPy (a MemoryError), torch on any device, OpenCV and the system."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if type(error).__module__.split(".")[0] == "cv2":
        return getattr(error, "code", 0) == -4  # cv::Error::StsNoMem
    words = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
