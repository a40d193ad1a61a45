"""Installs model weights from a checkout: a thin front to ``vdepth weights``.

python install_weights.py NAME...          install (resumes, checks, converts)
python install_weights.py NAME --from DIR  install from files that are already here
python install_weights.py --list | --verify [NAME...] | --remove NAME... | --where
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def arguments_of(command_line: Sequence[str]) -> list[str]:
    """What ``vdepth`` takes for the arguments of this script."""
    parser = argparse.ArgumentParser(description="Install, list, check and remove model weights.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="names that --list shows")
    action = parser.add_mutually_exclusive_group()
    for verb, text in {
        "list": "list the weights there are",
        "verify": "check installed weights",
        "remove": "remove the named weights",
        "where": "print the folder of installed weights",
    }.items():
        action.add_argument(f"--{verb}", dest="verb", action="store_const", const=verb, help=text)
    parser.add_argument("--from", dest="source", metavar="FOLDER", help="take the published files from here")
    parser.add_argument(
        "--accept-license", action="append", default=[], metavar="NAME", help="agree to the licence of NAME"
    )
    parser.add_argument("--force", action="store_true", help="fetch again even if installed")
    given = parser.parse_args(command_line)
    verb = given.verb or "install"
    if verb in ("install", "remove") and not given.names:
        parser.error("name the weights; --list shows them")
    if verb in ("list", "where") and given.names:
        parser.error(f"--{verb} takes no names")
    if verb != "install" and (given.source or given.accept_license or given.force):
        parser.error(f"--from, --accept-license and --force do not go with --{verb}")
    options = ["--from", given.source] if given.source else []
    for name in given.accept_license:
        options += ["--accept-license", name]
    options += ["--force"] if given.force else []
    return ["weights", verb, *options, "--", *given.names] if given.names else ["weights", verb]


if __name__ == "__main__":
    try:
        from vdepth_core.cli.main import main
    except ModuleNotFoundError as error:
        print(
            f"install_weights.py: vdepth is not installed for {sys.executable} ({error.name} is missing). "
            "In this folder run: python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . "
            "Then: .venv/bin/python install_weights.py NAME",
            file=sys.stderr,
        )
        raise SystemExit(4) from None

    sys.argv = ["vdepth", *arguments_of(sys.argv[1:])]
    main()
