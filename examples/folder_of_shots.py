"""Every movie of a folder, one job each. Run it again after a crash: what is finished answers at once.

python examples/folder_of_shots.py plates/ depth/
"""

from __future__ import annotations

import sys
from pathlib import Path

import vdepth_core

MOVIES = {".mp4", ".mov", ".mkv", ".webm"}


def main(plates: Path, out: Path, **options: object) -> dict[str, str]:
    """Does all clips; returns a sentence for each that failed, and stops for none."""
    failed = {}
    for clip in sorted(path for path in plates.iterdir() if path.suffix.lower() in MOVIES):
        try:
            manifest = vdepth_core.estimate(clip, out / clip.stem, options)
        except vdepth_core.VdepthError as error:
            failed[clip.name] = str(error)
            continue
        shots = ", ".join(f"{shot.near:g} to {shot.far:g}" for shot in manifest.shots)
        print(f"{clip.name}: {manifest.count} frames, depth {shots}")
    return failed


if __name__ == "__main__":
    failures = main(Path(sys.argv[1]), Path(sys.argv[2]), preset="balanced", normals=True)
    print(*(f"{name}: {sentence}" for name, sentence in failures.items()), sep="\n", file=sys.stderr)
    raise SystemExit(bool(failures))
