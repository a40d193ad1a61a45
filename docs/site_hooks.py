"""Hooks of MkDocs: pages that are written elsewhere, and what the program says of itself.

README, CONTRIBUTING and the like stand where repositories keep them; the site shows the same files. Options
come from the command line and the table of weights from the catalogue, so that neither is copied by hand.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ELSEWHERE = {  # file of the repository -> page of the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "vdepth_core/weights/embedded.md": "embedded.md",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are written elsewhere in the repository."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Points links at pages, and puts in what the program says."""
    at = page.file.src_uri
    source = next((name for name, shown in ELSEWHERE.items() if shown == at), f"docs/{at}")
    markdown = _LINK.sub(lambda link: _relinked(link, posixpath.dirname(source)), markdown)
    for place, text in (("api", _api), ("options", _options), ("weights", _weights)):
        if (mark := f"<!-- {place} -->") in markdown:
            markdown = markdown.replace(mark, text())
    return markdown


def _relinked(link: re.Match[str], folder: str) -> str:
    """A link as the site needs it; files that the site has not are named without one."""
    image, text, target = link.groups()
    if re.match(r"[a-z]+:|#", target):
        return link.group()
    path, mark, anchor = target.partition("#")
    file = posixpath.normpath(posixpath.join(folder, path))
    if file in ELSEWHERE:
        return f"{image}[{text}]({ELSEWHERE[file]}{mark}{anchor})"
    if (
        file.startswith("docs/") or not (ROOT / file).exists()
    ):  # those that do not exist are MkDocs' to report
        return f"{image}[{text}]({file.removeprefix('docs/')}{mark}{anchor})"
    return f"{text} (`{file}`)"


def _api() -> str:
    """Every public name by itself: one that cannot be found is an error."""
    import vdepth_core

    return "\n\n".join(f"::: vdepth_core.{name}" for name in vdepth_core.__all__)


def _options() -> str:
    """What ``typer utils docs`` says of every verb."""
    command = [sys.executable, "-m", "typer", "vdepth_core.cli.main", "utils", "docs", "--name", "vdepth"]
    text = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout
    text = text[text.index("## `vdepth ") :]
    text = re.sub(r"\n+Exit codes: .*?tracebacks\.\n", "\n", text, flags=re.DOTALL)  # once is enough: cli.md
    return re.sub(r"\nExamples:\n((?:  .*\n)+)", lambda found: f"\n```bash\n{_flush(found[1])}```\n", text)


def _flush(lines: str) -> str:
    return re.sub(r"^  ", "", lines, flags=re.MULTILINE)


def _weights() -> str:
    """The table of the catalogue."""
    from vdepth_core.cli.model_table import size_in_words
    from vdepth_core.weights.catalogue import catalogue

    rows = ["| name | size | predicts | licence | commercial |", "|---|---|---|---|---|"]
    for entry in catalogue().values():
        licence = f"[{entry.license}]({entry.license_url})"
        means = f"{entry.space.replace('_invariant', '')} {entry.quantity}" if entry.space else "merges two"
        yes = "yes" if entry.commercial else "no"
        rows.append(f"| `{entry.name}` | {size_in_words(entry.size)} | {means} | {licence} | {yes} |")
    return "\n".join(rows)
