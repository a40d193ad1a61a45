"""Which frames a window sees, and which windows a frame is made of (Video Depth Anything, Chen et al., 2025).

A window is two key frames, the shot's first and one of the window before, eight frames it shares with that
one, and 22 new ones. The network takes them as neighbours in time, as it was trained.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW, STEP = 32, 22  # frames a window, and from one to the next
KEY = 12  # position in a window of the frame that the next one takes as its second key frame
SHARED = 2  # position of the first frame that is also among the window's before
BLEND = 8  # frames over which a window fades into the next


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a shot.

    Attributes:
        count: Frames of the shot.
        frames: What each window sees: numbers of frames, by position.
    """

    count: int
    frames: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.frames)

    def parts(self, frame: int) -> list[tuple[int, int, float]]:
        """What a frame is made of: window, position in it, and weight; one window, or two that fade.

        Args:
            frame: Of the shot.
        """
        last = min(max(0, (frame - SHARED) // STEP), len(self) - 1)
        position = frame - STEP * last
        if last == 0 or position >= SHARED + BLEND:
            return [(last, position, 1.0)]
        new = (position - SHARED) / (BLEND - 1)
        return [(last - 1, position + STEP, 1 - new), (last, position, new)]

    def new(self, window: int) -> int:
        """How many frames a window sees first.

        Args:
            window: From 0.
        """
        before = 0 if window == 0 else STEP * window + WINDOW - STEP
        return max(0, min(STEP * window + WINDOW, self.count) - before)


def plan_windows(count: int, *, published: bool = False) -> WindowPlan:
    """Plans the windows of a shot.

    Args:
        count: Frames of the shot, 1 at least.
        published: Windows are full, the last frame repeated, and there is one even where its new frames all
            lie behind the end; else the last window ends where the shot does.

    Raises:
        ValueError: ``count`` is not positive.
    """
    if count < 1:
        raise ValueError(f"no windows for {count} frames")
    windows = -(-count // STEP) if published else 1 + max(0, -(-(count - WINDOW) // STEP))
    frames = []
    for window in range(windows):
        start = STEP * window
        seen: list[int] = list(range(WINDOW))
        if window:
            seen = [0, start - STEP + KEY, *range(start + SHARED, start + WINDOW)]
        if published:
            frames.append(tuple(min(frame, count - 1) for frame in seen))
        else:
            frames.append(tuple(frame for frame in seen if frame < count))
    return WindowPlan(count, tuple(frames))
