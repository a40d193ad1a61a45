"""Stands in for ``python -m vdepth_core``: speaks its protocol, or misbehaves as the first argument says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CLIP = "shot.mov"


def say(event: str, **fields: object) -> None:
    """Prints one event."""
    print(json.dumps({"event": event, "clip": CLIP, **fields}), flush=True)


def good() -> int:
    """One clip of four frames."""
    say("started", version=1, vdepth="0.1.0", method="temporal", model="embedded", frames=4, resumed=False)
    say("stage", name="infer", total=4)
    say("warning", message="Größe ist ungerade — 日本.")
    for index in range(4):
        say("progress", stage="infer", done=index + 1, total=4, fps=8.0, eta=(3 - index) / 8)
        say("frame", index=index, number=index + 1, path=f"shot_depth.{index + 1:04d}.exr")
    say("done", manifest="out/manifest.json")
    return 0


def error_event() -> int:
    """Fails as the core does: an event, then the code."""
    say("error", code="bad_input", message="shot.mov is no movie.", hint="Choose another clip.")
    print("vdepth: shot.mov is no movie.", file=sys.stderr)
    return 3


def two_clips() -> int:
    """The first clip fails, the second one is finished."""
    say("error", code="bad_input", message="a.mov is no movie.", hint="")
    say("error", code="resources", message="b.mov is too much.", hint="")
    say("done", manifest="c/manifest.json")
    return 3


def dies() -> int:
    """Without an event, with a word on stderr."""
    print("warming up", file=sys.stderr)
    print("vdepth: No weights named depth-pro. Run: vdepth weights install depth-pro", file=sys.stderr)
    return 4


def crashes() -> int:
    """As after a bug."""
    print("Traceback (most recent call last):\nZeroDivisionError: division by zero", file=sys.stderr)
    return 1


def out_of_memory() -> int:
    """As Linux ends what takes too much."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def silent() -> int:
    """Ends well and has done nothing."""
    return 0


def junk() -> int:
    """Others print on stdout too."""
    print("libav says hello")
    print("[1, 2]\nnull\n7\n" + json.dumps({"event": ["list"]}) + "\n" + "[" * 100_000, flush=True)
    sys.stdout.buffer.write(b"\xff\xfe broken\n")
    sys.stdout.buffer.flush()
    say("from the future", answer=42)
    say("done", manifest="out/manifest.json", also="unknown")
    return 0


def flood() -> int:
    """More events than anybody can show."""
    for index in range(20_000):
        sys.stdout.write(json.dumps({"event": "progress", "stage": "infer", "done": index}) + "\n")
    say("done", manifest="out/manifest.json")
    return 0


def hang() -> int:
    """Works until it is cancelled, then stops cleanly; so does its child."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    def stop(*_: object) -> None:
        say("error", code="cancelled", message="Cancelled.", hint="Run the same command again.")
        sys.exit(130)

    signal.signal(signal.SIGTERM, stop)
    say("started", child=child.pid)
    time.sleep(60)
    return 0


def stubborn() -> int:
    """Does not stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code])
    time.sleep(0.2)
    say("started", child=child.pid)
    time.sleep(60)
    return 0


def surroundings() -> int:
    """Tells how it was started."""
    environment = {name: os.environ[name] for name in sorted(os.environ)}
    say("started", environment=environment, arguments=sys.argv[1:], group=os.getpgid(0) == os.getpid())
    say("done", manifest="")
    return 0


def main() -> int:
    """``-I -X utf8 -m vdepth_core SCENARIO ...``, as the add-on starts the core."""
    arguments = sys.argv[1:]
    assert arguments[:5] == ["-I", "-X", "utf8", "-m", "vdepth_core"], arguments
    if arguments[5:] == ["--version", "--json"]:
        print((Path(sys.argv[0]).parent / "version.json").read_text())
        return 0
    assert arguments[-1] == "--events", arguments
    scenarios = {function.__name__: function for function in _SCENARIOS}
    return scenarios[arguments[5]]()


_SCENARIOS = (
    *(good, error_event, two_clips, dies, crashes, out_of_memory, silent),
    *(junk, flood, hang, stubborn, surroundings),
)

if __name__ == "__main__":
    sys.exit(main())
