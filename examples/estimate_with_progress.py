"""Depth for one clip, with a line of progress, and errors in a sentence.

python examples/estimate_with_progress.py shot.mov depth/
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import vdepth_core


def show(event: Any) -> None:
    """Prints what a job tells; all kinds of events stand in `vdepth_core.jobs.events`."""
    match event.event:
        case "progress":
            left = "" if event.eta is None else f", {event.eta:.0f} s left"
            print(f"{event.stage}: {event.done} of {event.total}, {event.fps:.1f} frames/s{left}")
        case "warning":
            print(f"Note: {event.message}")


def main() -> int:
    """Runs one job and returns the exit code that the command line would give."""
    parser = argparse.ArgumentParser(description="Depth for one clip.")
    parser.add_argument("clip")
    parser.add_argument("out")
    parser.add_argument("--frames", help="A-B, inclusive")
    options = parser.parse_args()
    try:
        config = vdepth_core.EstimateConfig.parse(preset="draft", frames=options.frames, near=1.0, far=20.0)
        manifest = vdepth_core.estimate(options.clip, options.out, config, on_event=show)
    except vdepth_core.VdepthError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return error.exit_code
    print(f"{manifest.count} frames by {manifest.model.name} ({manifest.model.license}) in {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
