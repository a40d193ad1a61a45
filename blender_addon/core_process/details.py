# SPDX-License-Identifier: GPL-3.0-or-later
"""What Copy Details puts on the clipboard: enough for a bug report, and no secrets. No bpy in here."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL = 40

_NAMES = r"(?:token|secret|password|passwd|api[_-]?key|signature|credential)"
_SECRETS = (
    (re.compile(r"(\w+://)[^/\s@]+@"), r"\1***@"),  # user:password@host
    (re.compile(r"\b(hf|gh[opsu]|github_pat|glpat|sk)[_-][A-Za-z0-9_-]{10,}"), "***"),
    (re.compile(rf"(?i)({_NAMES}\w*[\"']?\s*[=:]\s*)[^\s&]+"), r"\1***"),
    (re.compile(r"(?i)(authorization\s*:\s*(?:bearer|basic)?\s*)\S+"), r"\1***"),
)


def redact(text: str) -> str:
    """``text`` without passwords, tokens and the user's name in the home folder."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def log_tail(log: str | Path) -> list[str]:
    """The last lines of a log; none where there is none."""
    try:
        return (
            Path(log).read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:] if str(log) else []
        )
    except OSError:
        return []


def report(facts: Mapping[str, str], sections: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The text: ``facts`` and this system's line by line, then each section that says something."""
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    lines.append(f"System: {platform.platform()}, {platform.machine()}")
    for title, said in sections:
        if told := [line for line in said if line.strip()]:
            lines += ["", f"--- {title}", *told]
    return redact("\n".join(lines)) + "\n"
