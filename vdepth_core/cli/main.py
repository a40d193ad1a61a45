"""The ``vdepth`` command: registers the verbs and turns errors into one sentence and an exit code.

Nothing heavy is imported here or at the top of a verb's file, so ``vdepth --help`` answers at once.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated

import typer

from ..errors import VdepthError
from ..version import __version__
from .adapt import adapt
from .demo import demo
from .doctor import doctor
from .estimate import estimate
from .evaluate import evaluate
from .export import export
from .inspect import inspect
from .make_tiny import make_tiny
from .models import models
from .train_embedded import train_embedded
from .verify import verify
from .weights import weights_app

app = typer.Typer(
    name="vdepth",
    help="Depth for video that artists can composite with.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb in (
    estimate,
    demo,
    inspect,
    verify,
    export,
    evaluate,
    models,
    adapt,
    doctor,
    train_embedded,
    make_tiny,
):
    app.command(_verb.__name__.replace("_", "-"))(_verb)
app.add_typer(weights_app, name="weights")

_debug = False


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="With --version: print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log messages.")] = False,
) -> None:
    global _debug
    _debug = debug
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(name)s: %(message)s")
    if version:
        facts = {"vdepth": __version__, "python": ".".join(map(str, sys.version_info[:3])), "events": 1}
        typer.echo(json.dumps(facts) if json_ else f"vdepth {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the console script; exits with the documented code."""
    try:
        app()
    except VdepthError as error:
        if _debug:
            raise
        typer.echo(f"vdepth: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("vdepth: Cancelled.", err=True)
        raise SystemExit(130) from None
    except Exception as error:
        if _debug:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        typer.echo(f"vdepth: Internal error: {text} Run with --debug to see where.", err=True)
        raise SystemExit(1) from None
