"""For `mutants`: which tests reach a line, and how to run them in a fork of this process."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Imported once; never the package itself, whose mutants each child imports for itself.
LIBRARIES = (
    "torch numpy cv2 av OpenEXR pydantic typer rich hypothesis psutil scipy.ndimage scipy.optimize pytest "
)
LIBRARIES += "coverage safetensors.torch huggingface_hub transformers diffusers"
# Tests of other places that reach the rooms. Whole jobs do as well, for many seconds each: a fault that only
# they see is one that no test of its own room sees.
BESIDE = ("clip", "cli/test_evaluate_cli.py", "cli/test_verify_cli.py", "test_files.py")


def load_libraries() -> None:
    """Imports what the children share."""
    for name in LIBRARIES.split():
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"without {name}")


@dataclass(eq=False)
class Child:
    """A fork that runs pytest in a copy of the checkout."""

    copy: Path
    pid: int
    until: float
    log: Path
    started: float = field(default_factory=time.monotonic)
    outcome: str = ""
    said: str = ""
    seconds: float = 0.0

    @classmethod
    def pytest(
        cls, copy: Path, arguments: list[str], limit: float, then: Callable[[list[str]], None] | None = None
    ) -> Child:
        """Starts it; ``then`` is run in the child in place of pytest."""
        log = copy.parent / "log.txt"
        pid = os.fork()
        if pid == 0:
            _be_child(copy, log, arguments, then)
        return cls(copy, pid, time.monotonic() + limit, log)

    def ended(self) -> bool:
        """Whether it has, by itself or because its time is over; then ``outcome`` is known."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = not pid and time.monotonic() > self.until
        if not pid and not late:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what the tests started, too
        if late:
            os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - self.started
        self.outcome = "timeout" if late else {0: "survived"}.get(code, "killed")
        failures = [
            x
            for x in self.log.read_text("utf-8", "replace").splitlines()
            if x.startswith(("FAILED", "ERROR"))
        ]
        self.said = (
            "" if self.outcome == "survived" else (failures or [f"exit {code}"])[0].partition(" - ")[0]
        )
        return True


def _be_child(copy: Path, log: Path, arguments: list[str], then: Callable[[list[str]], None] | None) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        os.nice(5)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        for name in [name for name in sys.modules if name.partition(".")[0] == "vdepth_core"]:
            del sys.modules[name]  # not the copy's
        os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        common = ["-q", "-p", "no:cacheprovider", "--tb=line", f"--basetemp={copy.parent / 'made'}"]
        common += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
        if then is None:
            pytest = importlib.import_module("pytest")
            # a line that no test reaches is a survivor, and must not run them all
            code = int(pytest.main([*common, *arguments])) if len(arguments) > 1 else 0
        else:
            then([*common, *arguments])
            code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Watch:
    """A pytest plug-in: which lines each test runs, and for how long."""

    def __init__(self, package: Path) -> None:
        self.coverage = importlib.import_module("coverage").Coverage(
            data_file=None, source=[str(package)], messages=False
        )
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.coverage.switch_context(nodeid)
        self.seconds[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report: object) -> None:
        """A test failed or was skipped: neither can kill a mutant."""
        if report.outcome != "passed":  # type: ignore[attr-defined]
            self.failed.add(report.nodeid)  # type: ignore[attr-defined]

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over."""
        self.seconds[nodeid] = time.monotonic() - self.seconds[nodeid]
        self.coverage.switch_context("")


def _watch(copy: Path, answer: Path) -> Callable[[list[str]], None]:
    def run(arguments: list[str]) -> None:
        watch = Watch(copy / "vdepth_core")
        watch.coverage.start()
        importlib.import_module("pytest").main(arguments, plugins=[watch])
        watch.coverage.stop()
        data = watch.coverage.get_data()
        lines: dict[str, dict[int, list[str]]] = {}
        for file in data.measured_files():
            found = {
                line: [name for name in names if name and name not in watch.failed]
                for line, names in data.contexts_by_lineno(file).items()
            }
            lines[str(Path(file).relative_to(copy / "vdepth_core"))] = {k: v for k, v in found.items() if v}
        passed = watch.seconds.keys() - watch.failed
        assert any(lines.values()) or not passed, f"{arguments[-1]} runs nothing of {copy}"
        answer.write_text(json.dumps({"seconds": watch.seconds, "lines": lines}), "utf-8")
        print("did not pass:", *sorted(watch.failed))

    return run


def files_of(folder: Path, rooms: Iterable[str]) -> list[Path]:
    """The modules below ``folder`` that rooms, folders or single files, stand for."""
    paths = [folder / room for room in rooms]
    return [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))]


def beside(room: str) -> str:
    """Where a room's tests lie below ``tests``: a folder's in its own, a file's in that of its folder."""
    path = Path(room)
    return room if not path.suffix else str(path.parent) if path.parent.name else f"test_{path.name}"


class TestMap:
    """Which tests reach which line."""

    __test__ = False

    def __init__(self, package: Path, measured: list[dict[str, dict]]) -> None:
        self._package = package
        self._seconds: dict[str, float] = {}
        self._lines: dict[str, dict[int, set[str]]] = {}
        for part in measured:
            self._seconds |= part["seconds"]
            for file, lines in part["lines"].items():
                own = self._lines.setdefault(file, {})
                for line, names in lines.items():
                    own.setdefault(int(line), set()).update(names)

    @classmethod
    def measured(cls, copy: Path, rooms: tuple[str, ...], cache: Path) -> TestMap:
        """Runs the rooms' tests once under coverage; what has not changed, neither the tests nor the files of
        the rooms, is taken from ``cache``.
        """
        tests, package = copy / "tests", copy / "vdepth_core"
        files = files_of(tests, [*(beside(room) for room in rooms), *BESIDE])
        files = sorted({file for file in files if file.name.startswith("test_")})
        helpers = sorted(f for f in tests.rglob("*.py") if not f.name.startswith("test_"))
        common = _digest([*files_of(package, rooms), *helpers])
        known = json.loads(cache.read_text("utf-8")) if cache.exists() else {}
        kept = {}
        for file in files:
            key = f"{file.relative_to(copy)} {common} {_digest([file])}"
            if key not in known:
                answer = copy.parent / "answer.json"
                answer.unlink(missing_ok=True)
                child = Child.pytest(copy, [str(file.relative_to(copy))], 900, _watch(copy, answer))
                while not child.ended():
                    time.sleep(0.05)
                if not answer.exists():
                    raise SystemExit(f"{file} could not be measured:\n{child.log.read_text('utf-8')[-3000:]}")
                known[key] = json.loads(answer.read_text("utf-8"))
                told = [
                    x for x in child.log.read_text("utf-8").splitlines() if x.startswith("did not pass: ")
                ]
                print(f"{child.seconds:6.1f} s  {file.relative_to(copy)}", *told, flush=True)
            kept[key] = known[key]
            cache.parent.mkdir(exist_ok=True)
            cache.write_text(json.dumps(known | kept), "utf-8")
        cache.write_text(json.dumps(kept), "utf-8")
        return cls(package, list(kept.values()))

    def reaching(self, file: str, line: int, seconds: float) -> tuple[list[str], float]:
        """Tests that reach a line of a file of the package, quick files of its own room first, for at most
        ``seconds``, and how long they take.
        """
        lines = self._lines.get(file, {})
        found: set[str] = set()
        for spans in _scopes((self._package / file).read_text("utf-8"), line):
            for first, last in spans:
                found.update(*(lines.get(covered, ()) for covered in range(first, last + 1)))
            if found:
                break
        room = f"tests/{beside(file)}"
        found = found or {name for name in self._seconds if name.startswith(room)}  # it holds data only
        by_file: dict[str, list[str]] = {}
        for name in found:
            by_file.setdefault(name.partition("::")[0], []).append(name)
        chosen, total = list[str](), 0.0
        stem = Path(file).stem

        def order(item: tuple[str, list[str]]) -> tuple[bool, bool, float]:
            """Of its room, of its name, quick."""
            at, names = item
            return not at.startswith(room), stem not in at, sum(self._seconds[name] for name in names)

        for _, names in sorted(by_file.items(), key=order):
            for name in sorted(names, key=lambda name: (self._seconds[name], name)):
                if chosen and total + self._seconds[name] > seconds:
                    break
                chosen.append(name)
                total += self._seconds[name]
        return chosen, total


def _scopes(text: str, line: int) -> Iterator[list[tuple[int, int]]]:
    """Lines whose tests may see a fault on a line: itself and the statements around it within its function,
    the function whose default it is, or all functions of the file: that one is run on import, and by no test.
    """
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = [f for f in functions if f.body[0].lineno <= line <= _end(f)]
    if within:
        yield [(line, line)]
        least = max(f.body[0].lineno for f in within)
        around = [(n.lineno, _end(n)) for n in nodes if least <= n.lineno <= line <= _end(n)]
        yield from ([span] for span in sorted(around, key=lambda span: span[1] - span[0]))
    headed = [f for f in functions if f.lineno <= line <= _end(f)]
    yield [(f.body[0].lineno, _end(f)) for f in headed]
    yield [(f.body[0].lineno, _end(f)) for f in functions]


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _digest(files: list[Path]) -> str:
    value = hashlib.sha256()
    for file in files:
        value.update(file.name.encode() + b"\0" + file.read_bytes())
    return value.hexdigest()[:16]
