"""Decoding a movie's pictures in presentation order, the same on every machine, also from the middle and when
damaged.

Three ways, tried in this order until one gets through: seek to the key frame before the wanted picture (only
where the timestamps prove that the right picture came out); decode from the start on all cores; decode from
the start on one core. The last is for damaged streams: how a decoder conceals or skips broken data depends on
its number of threads, so everything from the first damage on is decoded single-threaded.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
from av.video.frame import PictureType, VideoFrame

from ..budget import MB, at_most

# Containers whose index leads exactly to key frames; elsewhere a seek may land anywhere.
_SEEKABLE = frozenset({"mov", "mp4", "matroska", "webm"})
_WORTH_SEEKING = 8  # frames; nearer to the start, decoding from it is as fast
_THREADS = min(16, (os.cpu_count() or 1) + 1)  # as FFmpeg chooses itself
_THREAD_BYTES = 128 * MB  # for the pictures that threads work on; each holds one


@dataclass
class Damage:
    """What went wrong in one pass.

    Attributes:
        lost: Packets that did not decode although later ones did.
        tail: Packets that did not decode at the end of the stream.
        concealed: Pictures the decoder marked as damaged.
        packets: Packets the container handed out.
        held: Empty ones at the end: how many frames longer the last picture stays.
        unreadable: The container itself broke off.
        first: Index of the picture at the first damage, None for a sound stream.
    """

    lost: int = 0
    tail: int = 0
    concealed: int = 0
    packets: int = 0
    held: int = 0
    unreadable: bool = False
    first: int | None = None


class _Unreliable(Exception):
    """This way of decoding does not give certain results here; try the next."""


def open_movie(path: Path) -> av.container.InputContainer:
    """Opens ``path`` as a local file, whatever its name looks like.

    Args:
        path: Any file; a name like a URL's is still a file.
    """
    return av.open(str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"})


def pictures(
    path: Path, stream: int, start: int = 0, known_pts: Sequence[int] = (), damage: Damage | None = None
) -> Generator[tuple[int, VideoFrame]]:
    """Yields (index, picture) from index ``start`` on; closing it closes the file.

    Args:
        path: The movie.
        stream: Index of the stream in the container.
        start: First picture wanted.
        known_pts: Timestamps of the first pictures as far as a scan knows them; strictly increasing ones
            allow seeking.
        damage: Receives what went wrong, damage as it is met and the rest when the stream is exhausted.
    """
    following = start
    known = list(known_pts[: start + 1])
    ways: list[Any] = [_threaded, _careful]
    if start >= _WORTH_SEEKING and len(known) == start + 1 and _increasing(known):
        ways.insert(0, _sought)
    for way in ways:
        found = damage if damage is not None and way is _careful else Damage()
        try:
            with closing(way(path, stream, known, found)) as decoded:
                for index, picture in decoded:
                    if index >= following:
                        following = index + 1
                        yield index, picture
        except _Unreliable:
            continue
        if damage is not None:
            damage.packets, damage.held = found.packets, found.held
        return


def first_picture(path: Path, stream: int) -> VideoFrame | None:
    """The first picture that decodes; on one core, because filling all of them with frames takes longer.

    Args:
        path: The movie.
        stream: Index of the stream in the container.
    """
    with closing(_careful(path, stream, [], Damage())) as decoded:
        return next((picture for _, picture in decoded), None)


def key_pictures(path: Path, stream: int, times: Sequence[Fraction]) -> Generator[VideoFrame]:
    """The key frames at or before some times, each once, not before the first time; nothing else is decoded.

    Args:
        path: The movie.
        stream: Index of the stream in the container.
        times: Seconds from the stream's start, ascending. Of containers without an index nothing comes.
    """
    with open_movie(path) as container:
        video = _video(container, stream)
        if not _SEEKABLE & set(container.format.name.split(",")) or video.time_base is None:
            return
        video.codec_context.thread_count = 1  # the first picture comes out at once
        ticks = [(video.start_time or 0) + round(time / video.time_base) for time in times]
        last = ticks[0] - 1
        for wanted in ticks:
            try:
                container.seek(wanted, stream=video, backward=True)
                decoded = (picture for packet in _full(container, video) for picture in video.decode(packet))
                picture = next((picture for picture in decoded if picture.key_frame), None)
            except av.FFmpegError:
                continue
            if picture is not None and not picture.is_corrupt and (picture.pts or 0) > last:
                last = picture.pts or 0
                yield picture


def _threaded(path: Path, stream: int, known: list[int], damage: Damage) -> Generator[tuple[int, VideoFrame]]:
    with open_movie(path) as container:
        video = _video(container, stream)
        _use_threads(video)
        index = 0
        try:
            for packet in _full(container, video, damage):
                for picture in video.decode(packet):
                    if picture.is_corrupt:
                        raise _Unreliable
                    yield index, picture
                    index += 1
        except av.FFmpegError as error:
            raise _Unreliable from error


def _sought(path: Path, stream: int, known: list[int], damage: Damage) -> Generator[tuple[int, VideoFrame]]:
    target = known[-1]
    with open_movie(path) as container:
        if not _SEEKABLE & set(container.format.name.split(",")):
            raise _Unreliable
        video = _video(container, stream)
        _use_threads(video)
        index: int | None = None
        where = {pts: number for number, pts in enumerate(known)}
        try:
            container.seek(target, stream=video, backward=True)
            for picture in (
                picture for packet in _full(container, video) for picture in video.decode(packet)
            ):
                if index is None:
                    # Only a key frame at or before the target, known to the scan, proves where we are.
                    whole = picture.key_frame and picture.pict_type == PictureType.I  # no gradual refresh
                    if not whole or picture.pts not in where:
                        raise _Unreliable
                    index = where[picture.pts]
                if picture.is_corrupt or (index < len(known) and picture.pts != known[index]):
                    raise _Unreliable
                yield index, picture
                index += 1
        except av.FFmpegError as error:
            raise _Unreliable from error
        if index is None:
            raise _Unreliable


def _careful(path: Path, stream: int, known: list[int], damage: Damage) -> Generator[tuple[int, VideoFrame]]:
    with open_movie(path) as container:
        video = _video(container, stream)
        video.codec_context.thread_count = 1
        packets = _full(container, video, damage)
        index = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                damage.unreadable = True
                damage.first = index if damage.first is None else damage.first
                packet = None
            try:
                decoded = video.codec_context.decode(packet)
            except av.error.EOFError:
                decoded = []
            except av.FFmpegError:
                damage.tail += 1
                damage.first = index if damage.first is None else damage.first
                decoded = []
            for picture in decoded:
                damage.lost, damage.tail = damage.lost + damage.tail, 0
                if picture.is_corrupt:
                    damage.concealed += 1
                    damage.first = index if damage.first is None else damage.first
                yield index, picture
                index += 1
            if packet is None:
                return


def _full(
    container: av.container.InputContainer, video: av.VideoStream, damage: Damage | None = None
) -> Generator[Any]:
    """The packets that hold something, and the flush at the end.

    An empty one says that the picture before stays (Theora's repeats): no picture of its own, and no damage.
    """
    damage = damage or Damage()
    for packet in container.demux(video):
        damage.packets += packet.size > 0 or packet.dts is not None
        if packet.size == 0 and packet.dts is not None:
            damage.held += 1
            continue
        damage.held = damage.held if packet.size == 0 else 0
        yield packet


def _video(container: av.container.InputContainer, stream: int) -> av.VideoStream:
    return cast(av.VideoStream, container.streams[stream])


def _use_threads(video: av.VideoStream) -> None:
    """All cores, as far as the pictures they hold at once are not too large."""
    context = video.codec_context
    deep = context.format is not None and context.format.components[0].bits > 8
    picture = 2 * context.width * context.height * (2 if deep else 1)
    video.thread_type = "AUTO"
    context.thread_count = at_most(_THREADS, picture, _THREAD_BYTES)


def _increasing(values: list[int]) -> bool:
    return all(one < other for one, other in pairwise(values))
