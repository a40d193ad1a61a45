"""The ``vdepth`` command: registers the verbs and turns errors into one sentence and an exit code.

Nothing heavy is imported here or at the top of a verb's file, so ``vdepth --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, TextIO

import typer

from ..errors import InputError, ResourceError, UsageError, as_vdepth_error
from ..files import printable
from ..version import __version__
from .adapt import AdaptCommand, adapt
from .compare import compare
from .demo import demo
from .doctor import doctor
from .estimate import EstimateCommand, estimate
from .evaluate import evaluate
from .export import ExportCommand, export
from .fields import FieldsCommand
from .finish import finish
from .fuse import fuse
from .ground import ground
from .inspect import InspectCommand, inspect
from .log_lines import NAMED, PlainLines
from .make_tiny import make_tiny
from .metric import metric
from .models import models
from .novel_view import NovelViewCommand, novel_view
from .relight import relight
from .submit import SubmitCommand, submit
from .train_diffusion import TrainDiffusionCommand, train_diffusion
from .train_embedded import train_embedded
from .train_merge import train_merge
from .train_selfsup import TrainSelfsupCommand, train_selfsup
from .verify import verify
from .weights import weights_app

VERBS: dict[Callable[..., None], tuple[str, ...]] = {  # in the order of the help, with examples
    estimate: (
        "estimate shot.mov -o depth/",
        "estimate plates/shot.%04d.exr -o depth/ --near 0.5 --far 20 --normals",
        "estimate *.mov -o farm/ --preset best --events",
    ),
    submit: (
        "submit slurm *.mov -o /mnt/depth --shares 4",
        "submit openjd film.mov -o /mnt/depth --shares 20 --into bundle/",
    ),
    finish: ("estimate film.mov -o depth/ --shard 2/3", "finish depth/"),
    demo: ("demo",),
    inspect: ("inspect shot.mov", "inspect plates/ --json"),
    verify: ("verify depth/", "verify farm/shot_010 --json"),
    compare: ("compare draft/ balanced/ best/ -o presets.png",),
    export: (
        "export depth/ --to png16 --convention white-near",
        "export depth/ --to mp4-edit -o edit/",
    ),
    evaluate: (
        "evaluate depth/ truth/ --max-depth 10",
        "evaluate maps.npz rgbd/ --quantity disparity",
    ),
    fuse: ("fuse depth/", "fuse depth/ --camera solve.json --margin 20"),
    novel_view: (
        "novel-view depth/ --path dolly --amount 20",
        "novel-view depth/ --path stereo --layout half-side-by-side --max-disparity 1.5",
        "novel-view depth/ --path move.chan --format exr -o view/",
    ),
    relight: (
        "relight depth/ --light sun:-1,1,1:0.8 --light ambient:0.2",
        "relight depth/ --light lights.json -o light/",
    ),
    metric: (
        "metric depth/ --known-distance 640,410,1001,2.5 --far 20",
        "metric depth/ --model zoedepth -o metres/",
        "metric depth/ --points colmap/sparse/0 --known-distance 640,410,1001,2.5",
    ),
    ground: ("ground depth/", 'ground depth/ --frame 1001 --horizon-at "0,210 1279,204"'),
    models: ("models",),
    adapt: ("adapt shot.mov -o steady.safetensors", "estimate shot.mov -o depth/ --model steady.safetensors"),
    doctor: ("doctor",),
    train_embedded: ("train-embedded -o mine.safetensors --minutes 5",),
    train_merge: ("train-merge -o merge.safetensors --minutes 25 --clips shot.mov",),
    train_selfsup: (
        "train-selfsup kitti/ --split zhou/train_files.txt -o mono/",
        "train-selfsup clips/ --recipe packnet --fov 60 -o mine/",
    ),
    train_diffusion: (
        "train-diffusion rolling shots/ --init rollingdepth-v1 -o mine/ --lora 16 --checkpointing",
        "train-diffusion marigold procedural --init tiny/ -o mine/ --steps 100",
    ),
    make_tiny: ("make-tiny rollingdepth tiny/", "estimate shot.mov -o depth/ --model tiny/ --method rolling"),
}

_MADE_OF_FIELDS: dict[Callable[..., None], type[FieldsCommand]] = {
    estimate: EstimateCommand,
    inspect: InspectCommand,
    submit: SubmitCommand,
    export: ExportCommand,
    novel_view: NovelViewCommand,
    adapt: AdaptCommand,
    train_selfsup: TrainSelfsupCommand,
    train_diffusion: TrainDiffusionCommand,
}


def examples(*commands: str) -> str:
    """The paragraph of examples at the end of a help text.

    Args:
        *commands: Without ``vdepth``.
    """
    return "\b\nExamples:\n" + "\n".join(f"  vdepth {command}" for command in commands)


_CODES = """\b
Exit codes: 0 done, 1 internal, 2 usage, 3 bad input, 4 weights missing or
invalid, 5 disk or memory, 130 cancelled. --debug anywhere shows tracebacks."""

app = typer.Typer(
    name="vdepth",
    help="Depth for video that artists can composite with.",
    epilog=f"{examples('demo', 'estimate shot.mov -o depth/', 'estimate --help')}\n\n{_CODES}",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb, _examples in VERBS.items():
    _name, _class = _verb.__name__.replace("_", "-"), _MADE_OF_FIELDS.get(_verb)
    app.command(_name, cls=_class, epilog=f"{examples(*_examples)}\n\n{_CODES}")(_verb)
app.add_typer(weights_app, name="weights")

_debug = False
_WrongUsage: Any = typer.BadParameter.__bases__[0]  # UsageError of the parser that typer brings


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="With --version: print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log messages.")] = False,
) -> None:
    global _debug
    _debug = _debug or debug
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(NAMED) if _debug else PlainLines(NAMED))
    logging.basicConfig(level=logging.DEBUG if _debug else logging.WARNING, handlers=[handler])
    if json_ and not version:
        raise UsageError(
            "--json goes behind a verb, or with --version.", "Write vdepth inspect shot.mov --json."
        )
    if version:
        facts = {"vdepth": __version__, "python": ".".join(map(str, sys.version_info[:3])), "events": 1}
        typer.echo(json.dumps(facts) if json_ else f"vdepth {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the console script; exits with the documented code."""
    global _debug
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    _debug = "--debug" in arguments[:end]
    arguments = [word for word in arguments[:end] if word != "--debug"] + arguments[end:]
    try:
        code = _run(arguments)
        if sys.stdout is not None:  # it may be closed
            sys.stdout.flush()
    except typer.Abort:
        code = _fail(KeyboardInterrupt())
    except SystemExit:  # rich's way to say that nobody reads on
        code = 0
    except BaseException as error:
        if _debug and not isinstance(error, KeyboardInterrupt):
            raise
        code = _fail(error)
    raise SystemExit(code)


def _run(arguments: list[str]) -> int:
    for word in arguments:
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UsageError(
                f"{f'{word[:-1]} has no value' if word else 'One of the arguments is empty'}.",
                "Write a path or value there; in a script, a variable may not be set.",
            )
        if printable(word) != word:
            raise InputError(f"The name {printable(word)} is not UTF-8.", "Rename the file or its folder.")
    try:
        result = _only(arguments[:1])(arguments, prog_name="vdepth", standalone_mode=False)
    except _WrongUsage as error:  # what the parser says of options, with what was probably meant
        error.show()
        return int(error.exit_code)
    return result if isinstance(result, int) else 0


def _only(verb: list[str]) -> typer.Typer:
    """The app without the verbs that are not asked for: reading all their options takes a while."""
    commands = [command for command in app.registered_commands if [command.name] == verb]
    if not commands:  # options, a group, or what is no verb
        return app
    one = copy.copy(app)
    one.registered_commands, one.registered_groups = commands, []
    return one


def _fail(error: BaseException) -> int:
    """Says what is wrong and returns the exit code."""
    closed = isinstance(error, BrokenPipeError) and getattr(error, "filename", None) is None
    if closed or not _still_open(sys.stdout):
        # Nobody reads on (`vdepth inspect … | head`), or stdout is full: the interpreter must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if closed:
            return 0
    if isinstance(error, OSError) and error.filename is None and error.errno in (errno.ENOSPC, errno.EBADF):
        error = ResourceError("Standard output cannot be written.", "Check where it is redirected to.")
    known = as_vdepth_error(error)
    with contextlib.suppress(OSError, ValueError):
        typer.echo(f"vdepth: {known}", err=True)
    return known.exit_code


def _still_open(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False
    return stream is not None
