"""What docstrings say is true: examples run, arguments and errors are those of the code."""

import ast
import doctest
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from generated import write_movie

import vdepth_core
from vdepth_core import errors, types

ROOT = Path(vdepth_core.__file__).parent
IN_ORDER = (
    "estimate",
    "read_sequence",
    "export",
    "evaluate",
    "adapt",
    "load_model",
    "list_models",
    "open_clip",
)
FILES = sorted(path for path in ROOT.rglob("*.py") if "cli" not in path.parts)  # whose docstrings are help


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the examples live: a clip, and truth for it."""
    folder = tmp_path_factory.mktemp("examples")
    write_movie(folder / "shot.mov", 6)
    (folder / "truth").mkdir()
    near_below = np.linspace(5, 1, 64, dtype=np.float32)[:, None].repeat(96, 1)
    for index in range(6):
        np.save(folder / "truth" / f"{index:04d}.npy", near_below)
    return folder


def test_examples_run(folder, monkeypatch):
    """One after the other, as a reader would: the first makes what the others look at."""
    monkeypatch.chdir(folder)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in IN_ORDER:
        verb = getattr(vdepth_core, name)
        tests = doctest.DocTestFinder(recurse=False).find(verb, name, globs={})
        assert any(test.examples for test in tests), f"{name} shows no example"
        for test in tests:
            said = []
            runner.run(test, out=said.append)
            assert not said, "".join(said)


def test_every_verb_has_an_example():
    verbs = {name for name in vdepth_core.__all__ if inspect.isfunction(getattr(vdepth_core, name))}
    assert verbs == set(IN_ORDER)


def _arguments(docstring):
    """Names under ``Args:``; several may share a line."""
    section = re.search(r"^Args:\n((?:(?: .*)?\n)*)", inspect.cleandoc(docstring) + "\n", re.MULTILINE)
    lines = re.findall(r"^    (\S[^:\n]*):", section[1], re.MULTILINE) if section else []
    return [name.strip(" *") for line in lines for name in line.split(",")]


SEAMS = {  # what each seam asks of whoever fills it (SnippetModel lies between two files of ours)
    f"{name}.{method}": function
    for name, seam in vars(types).items()
    if getattr(seam, "_is_protocol", False) and seam.__module__ == types.__name__ and name != "SnippetModel"
    for method, function in vars(seam).items()
    if inspect.isfunction(function) and method[0] != "_"
}


@pytest.mark.parametrize("name", [*IN_ORDER, *SEAMS])
def test_arguments_are_explained(name):
    function = SEAMS[name] if name in SEAMS else getattr(vdepth_core, name)
    wanted = [name for name in inspect.signature(function).parameters if name != "self"]
    if len(wanted) > (2 if name in SEAMS else 0):  # a sentence says what one or two of a seam are
        assert _arguments(function.__doc__) == wanted


ERRORS = {name for name, value in vars(errors).items() if inspect.isclass(value)} | {"ValueError"}


def _raised(node):
    """Errors of ours that code raises itself and does not catch itself, by name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            name = getattr(child.exc.func, "id", "")
            if name in ERRORS:
                yield name
        elif isinstance(child, ast.Try) and child.handlers:
            for part in (*child.handlers, *child.orelse, *child.finalbody):
                yield from _raised(part)
        elif not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield from _raised(child)


def _public(node):
    """Public functions and what is said of them; a class may speak for its constructor."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and child.name[0] != "_":
            yield from _public(child)
        elif isinstance(child, ast.FunctionDef) and (child.name[0] != "_" or child.name == "__init__"):
            of_class = ast.get_docstring(node) if child.name == "__init__" else ""
            yield child, f"{of_class}{ast.get_docstring(child)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_errors_are_explained(path):
    """Every public function names the errors that it raises itself."""
    silent = {}
    for function, docstring in _public(ast.parse(path.read_text(encoding="utf-8"))):
        if missing := {name for name in _raised(function) if name not in docstring}:
            silent[function.name] = missing
    assert silent == {}


MANY = 5  # arguments that no sentence explains any more
SAME_AS = re.compile(
    r"\b(arguments|As|see)\b[^.]*`", re.IGNORECASE
)  # another one's, which are explained there


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if not {"scenes", "networks"} & set(path.parts)],  # formulas and tensors
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_many_arguments_are_explained(path):
    """Where a function takes many arguments, all of them are."""
    wrong = {}
    for function, docstring in _public(ast.parse(path.read_text(encoding="utf-8"))):
        taken = function.args
        names = [each.arg for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
        names = [name for name in names if name not in ("self", "cls")]
        if len(names) < MANY or function.name == "__init__":  # a class explains its attributes
            continue
        missing = [name for name in names if name not in _arguments(docstring)]
        if missing and not SAME_AS.search(docstring):
            wrong[function.name] = missing
    assert wrong == {}
