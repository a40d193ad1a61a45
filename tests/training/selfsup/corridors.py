"""KITTI-raw-like recordings of a rendered corridor, whose depth, cameras and motion are exact."""

import cv2
import numpy as np
from procedural_shots import corridor

DAY, DRIVE = "2011_09_26", "2011_09_26_drive_0001_sync"
FOLDER = f"{DAY}/{DRIVE}"
BASELINE = 0.2  # of the rendered pair
STEP = 0.15  # the camera moves so far forward from frame to frame
METRES_A_DEGREE = 6_378_137.0 * np.pi / 180


def rendered(frame, side="l", size=(64, 96)):
    """(h, w, 3) uint8 and inverse depth (h, w)."""
    luma, disparity = corridor(5 + STEP * frame, BASELINE * (side == "r"), size)
    return np.repeat(luma[..., None], 3, -1), disparity


def matrix(size=(64, 96)):
    """(3, 3) for pixel indices."""
    h, w = size
    return np.array(((0.8 * w, 0, w / 2 - 0.5), (0, 0.8 * w, h / 2 - 0.5), (0, 0, 1)))


def write_kitti(root, frames=8, size=(64, 96)):
    """A recording of a day, as it unpacks, with lists of targets; returns both lists."""
    drive = root / DAY / DRIVE
    K = matrix(size)
    rows = " ".join(f"{value:e}" for value in np.column_stack((K, np.zeros(3))).ravel())
    for camera, side in ((2, "l"), (3, "r")):
        folder = drive / f"image_{camera:02d}" / "data"
        folder.mkdir(parents=True)
        for frame in range(frames):
            cv2.imwrite(str(folder / f"{frame:010d}.png"), rendered(frame, side, size)[0])
    (root / DAY / "calib_cam_to_cam.txt").write_text(
        f"calib_time: 09-Jan-2012\nP_rect_02: {rows}\nP_rect_03: {rows}\n"
    )
    (drive / "oxts" / "data").mkdir(parents=True)
    for frame in range(frames):
        place = (49 + STEP * frame / METRES_A_DEGREE, 8.4, 116.0)
        (drive / "oxts" / "data" / f"{frame:010d}.txt").write_text(" ".join(map(str, place)) + " 0 0 0")
    train, held = root / "train_files.txt", root / "val_files.txt"
    train.write_text("".join(f"{FOLDER} {frame} {side}\n" for frame in range(1, frames - 2) for side in "lr"))
    held.write_text(f"{FOLDER} {frames - 2} l\n{FOLDER} {frames - 2:010d} r\n")
    return train, held


def write_clip(folder, frames, size=(48, 96), side="l"):
    """The same corridor as a folder of images."""
    folder.mkdir(parents=True)
    for frame in range(frames):
        cv2.imwrite(str(folder / f"f{frame:03d}.png"), rendered(frame, side, size)[0])
