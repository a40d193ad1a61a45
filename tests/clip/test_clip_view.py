from __future__ import annotations

import threading
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import pytest
from clip_media import number_of

from vdepth_core.clip import Clip, ClipReader, ShotView, open_clip
from vdepth_core.errors import InputError
from vdepth_core.types import ClipInfo, Frame, Shot


def _decoders() -> int:
    return sum(thread.name == "vdepth-decode" for thread in threading.enumerate())


def test_view_shows_its_shot_only(movie: Path) -> None:
    view = ShotView(open_clip(movie), Shot(1, 10, 30))
    assert len(view) == 20
    assert [number_of(frame.rgb) for frame in view.frames()] == list(range(10, 30))
    assert [frame.index for frame in view.frames(5, 8)] == [15, 16, 17]
    assert [frame.index for frame in view.frames(18)] == [28, 29]
    assert list(view.frames(20)) == []
    assert _decoders() == 0


def test_closing_early_stops_the_thread(movie: Path) -> None:
    frames = ShotView(open_clip(movie), Shot(0, 0, 60)).frames()
    assert next(frames).index == 0
    assert _decoders() == 1
    frames.close()
    assert _decoders() == 0


def test_only_a_few_frames_are_decoded_ahead(movie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, decoded = open_clip(movie), []
    read = clip.read

    def counted(*args: int, **options: float) -> Generator[Frame]:
        for frame in read(*args, **options):
            decoded.append(frame.index)
            yield frame

    monkeypatch.setattr(clip, "read", counted)
    frames = ShotView(clip, Shot(0, 0, 60)).frames()
    for _ in range(3):
        next(frames)
    threading.Event().wait(0.2)
    assert len(decoded) <= 3 + 6
    frames.close()


class _Failing(Clip):
    def __init__(
        self, frames: list[Frame], error: Exception | None, size: tuple[int, int] = (160, 96)
    ) -> None:
        super().__init__(Path("failing"))
        self.frames, self.error, self.given = frames, error, 0
        self.info = ClipInfo(Path("failing"), "movie", "failing", *size, Fraction(1), Fraction(24))

    def read(self, *_: object, **__: object) -> Generator[Frame]:
        for frame in self.frames:
            self.given += 1
            yield frame
        if self.error:
            raise self.error

    def probes(self, *_: object) -> Generator:
        yield from ()


def test_errors_of_the_thread_reach_the_reader(movie: Path) -> None:
    good = list(open_clip(movie).read(0, 3))
    view = ShotView(_Failing(good, ValueError("broken")), Shot(0, 0, 60))
    frames = view.frames()
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(frames)
    assert _decoders() == 0


def test_large_frames_are_not_decoded_far_ahead(movie: Path) -> None:
    small = next(iter(open_clip(movie).read(0, 1)))
    for size, ahead in (((1920, 1080), 4), ((7680, 4320), 1)):
        clip = _Failing([small] * 20, None, size)
        frames = ShotView(clip, Shot(0, 0, 20)).frames()
        next(frames)
        threading.Event().wait(0.1)
        assert clip.given <= 1 + ahead  # used, and waiting or in the decoder's hands
        frames.close()


def test_missing_frames_are_an_error(movie: Path) -> None:
    clip = open_clip(movie)
    with pytest.raises(InputError, match=r"Frame 60 .*can no longer be decoded"):
        list(ShotView(clip, Shot(0, 50, 70)).frames())


def test_reader_goes_on_from_shot_to_shot_with_one_decoder(
    movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, starts = open_clip(movie), []
    read = clip.read

    def counted(start: int = 0, *rest: object, **options: object) -> Generator[Frame]:
        starts.append(start)
        return read(start, *rest, **options)

    monkeypatch.setattr(clip, "read", counted)
    with ClipReader(clip) as reader:
        first = [number_of(frame.rgb) for frame in ShotView(reader, Shot(0, 3, 10)).frames()]
        second = [number_of(frame.rgb) for frame in ShotView(reader, Shot(1, 10, 30)).frames()]
        again = [number_of(frame.rgb) for frame in ShotView(reader, Shot(1, 10, 30)).frames(5, 7)]
    assert [*first, *second] == list(range(3, 30))
    assert again == [15, 16]
    assert starts == [3, 15]
