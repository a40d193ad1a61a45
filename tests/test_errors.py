"""The one map at every door: whatever goes wrong has a sentence and its documented exit code."""

from __future__ import annotations

import errno
import os

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError, ResourceError, VdepthError, as_vdepth_error


def raised(action: object) -> BaseException:
    try:
        action()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def torch_too_large() -> None:
    import torch

    torch.empty(1 << 60)


@pytest.mark.parametrize(
    "action",
    [
        torch_too_large,
        lambda: np.empty(1 << 60, np.uint8),
        lambda: cv2.resize(np.zeros((2, 2), np.float64), (1 << 30, 1 << 25)),
        lambda: (_ for _ in ()).throw(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
    ],
    ids=["torch", "numpy", "opencv", "system"],
)
def test_too_little_memory_is_a_resource_error(action: object) -> None:
    error = as_vdepth_error(raised(action))
    assert isinstance(error, ResourceError), error
    assert "memory" in error.message.lower()


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EIO])
def test_what_cannot_be_read_is_bad_input_and_named(code: int) -> None:
    error = as_vdepth_error(OSError(code, os.strerror(code), "plates/a.exr"))
    assert isinstance(error, InputError)
    assert "plates/a.exr" in error.message


def test_a_link_that_leads_to_itself_is_bad_input_and_named(tmp_path) -> None:
    path = tmp_path / "shot.mov"
    path.symlink_to(path.name)
    error = as_vdepth_error(raised(lambda: path.resolve(strict=True)))  # RuntimeError up to Python 3.12
    assert isinstance(error, InputError)
    assert str(path) in error.message


def test_full_and_forbidden_outputs_are_resources() -> None:
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EPIPE):
        assert as_vdepth_error(OSError(code, os.strerror(code), "depth/x")).exit_code == 5


def test_an_unreadable_input_is_not_taken_for_the_output(tmp_path, monkeypatch) -> None:
    path = tmp_path / "shot.mov"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    error = as_vdepth_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)))
    assert isinstance(error, InputError)
    assert "-o" not in error.hint


def test_everything_else_is_internal_in_one_line() -> None:
    error = as_vdepth_error(RuntimeError("kernel\nexploded."))
    assert type(error) is VdepthError
    assert error.exit_code == 1
    assert "\n" not in str(error)
    assert ".." not in str(error)
