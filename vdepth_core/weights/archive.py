"""Takes weights files out of a zip archive without trusting it.

An archive is refused as a whole when any member could land outside the folder, hide another one or grow
beyond measure; weights are noise to a compressor, so what shrank a hundredfold is no weights file.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import ResourceError, WeightsError
from .catalogue import is_inside

WEIGHTS = (".safetensors", ".pt", ".pth", ".tar", ".ckpt", ".bin")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError
)  # fmt: skip
_MOST_SHRUNK = 100
_SLACK = 1 << 20  # small members may shrink as they like
_CHUNK = 1 << 20
_HINT = "Do not trust this file; get it again from its publisher."


def extract(
    archive: Path, folder: Path, members: Collection[str] | None = None, *, limit: int | None = None
) -> list[Path]:
    """Extracts weights files into ``folder``, with the archive's subfolders.

    Args:
        archive: A zip file.
        folder: Where to; it is created.
        members: Names of the members to take; default: every weights file by its ending. Archives inside
            are not opened.
        limit: Most bytes all members together may have; default: four times the archive and a bit.

    Returns:
        The files, in the archive's order.

    Raises:
        WeightsError: the archive is damaged, dangerous, encrypted or too big, or lacks what is wanted.
        ResourceError: the disk is full or the folder cannot be written.
    """
    with _opened(archive) as file:
        infos = file.infolist()
        _check(archive, infos, 4 * archive.stat().st_size + 16 * _SLACK if limit is None else limit)
        wanted = [i for i in infos if (_is_weights(i.filename) if members is None else i.filename in members)]
        missing = set(members or ()) - {info.filename for info in wanted}
        if missing or not wanted:
            what = ", ".join(sorted(missing)) or "weights file"
            raise WeightsError(
                f"{archive.name} holds no {what}.", f"Weights files end in {', '.join(WEIGHTS)}."
            )
        done: list[Path] = []
        try:
            for info in wanted:
                done.append(folder / info.filename)
                _write(file, info, done[-1])
        except BaseException:
            for path in done:
                path.unlink(missing_ok=True)
            raise
        return done


def check_not_a_bomb(archive: Path, opened: IO[bytes] | None = None) -> None:
    """Refuses a file that is a zip archive, as torch's checkpoints are, and would unpack to absurd sizes.

    Args:
        archive: Any file; one that is no zip archive passes.
        opened: The file, where it is open already; it is left at its beginning.

    Raises:
        WeightsError: it would, or it is a damaged zip archive.
    """
    if zipfile.is_zipfile(opened or archive):
        with _opened(archive, opened) as file:
            _check_sizes(archive, file.infolist(), 4 * archive.stat().st_size + 16 * _SLACK)
    if opened is not None:
        opened.seek(0)


@contextmanager
def _opened(archive: Path, opened: IO[bytes] | None = None) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever is wrong with it while it is read becomes a `WeightsError`."""
    try:
        with zipfile.ZipFile(opened or archive) as file:
            yield file
    except _DAMAGED as error:
        raise WeightsError(
            f"The archive {archive.name} is damaged: {_line(error)}.", "Get it again from its publisher."
        ) from error


def _check(archive: Path, infos: list[zipfile.ZipInfo], limit: int) -> None:
    seen: set[str] = set()
    for info in infos:
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        plain = name.removesuffix("/") if info.is_dir() else name
        if not is_inside(plain) or not plain.isprintable():
            raise _refused(archive, f"its member {name!r} could be written outside its folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(archive, f"its member {name} is a link or a device")
        if info.flag_bits & 0x1:
            raise _refused(archive, f"its member {name} is encrypted")
        if plain.casefold() in seen:
            raise _refused(archive, f"it holds {name} twice")
        seen.add(plain.casefold())
    _check_sizes(archive, infos, limit)


def _check_sizes(archive: Path, infos: list[zipfile.ZipInfo], limit: int) -> None:
    for info in infos:
        if info.file_size > _MOST_SHRUNK * info.compress_size + _SLACK:
            raise _refused(archive, f"its member {info.filename} would grow to {info.file_size:,} bytes")
    total = sum(info.file_size for info in infos)
    if total > limit:
        raise _refused(archive, f"it would unpack to {total:,} bytes, more than the allowed {limit:,}")


def _write(file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out, file.open(info) as member:
            while chunk := member.read(_CHUNK):  # never more than the declared size
                out.write(chunk)
    except OSError as error:
        raise ResourceError(
            f"{target} cannot be written: {error.strerror or error}.", "Free some space or make it writable."
        ) from error


def _is_weights(name: str) -> bool:
    path = PurePosixPath(name)
    litter = path.name.startswith("._") or "__MACOSX" in path.parts  # what macOS adds to archives
    return path.suffix in WEIGHTS and not litter and not name.endswith("/")


def _refused(archive: Path, why: str) -> WeightsError:
    return WeightsError(f"The archive {archive.name} is refused: {why}.", _HINT)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
