"""What docstrings say is true: examples run, arguments and errors are those of the code."""

import ast
import doctest
import inspect
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from generated import write_movie

import vdepth_core
from vdepth_core import errors
from vdepth_core.models.tiny import make_tiny

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
    "stream",
)
EVERY = sorted(ROOT.rglob("*.py"))
VERBS = [path for path in EVERY if "cli" in path.parts]  # whose docstrings are help
FILES = [path for path in EVERY if path not in VERBS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the examples live: a clip, and truth for it."""
    folder = tmp_path_factory.mktemp("examples")
    write_movie(folder / "shot.mov", 6)
    make_tiny("video-depth-anything", folder)
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


@cache
def _arguments(docstring):
    """Names under ``Args:``; several may share a line."""
    section = re.search(r"^Args:\n((?:(?: .*)?\n)*)", inspect.cleandoc(docstring) + "\n", re.MULTILINE)
    lines = re.findall(r"^    (\S[^:\n]*):", section[1], re.MULTILINE) if section else []
    return [name.strip(" *") for line in lines for name in line.split(",")]


@pytest.mark.parametrize("name", IN_ORDER)
def test_arguments_of_verbs_are_explained(name):
    """Themselves, not by pointing elsewhere."""
    function = getattr(vdepth_core, name)
    assert _arguments(function.__doc__) == list(inspect.signature(function).parameters)


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


def _public(node, owner=""):
    """Names of public functions, they, and what is said of them; a class may speak for its constructor."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and child.name[0] != "_":
            yield from _public(child, f"{child.name}.")
        elif isinstance(child, ast.FunctionDef) and (child.name[0] != "_" or child.name == "__init__"):
            of_class = ast.get_docstring(node) if child.name == "__init__" else ""
            yield f"{owner}{child.name}", child, f"{of_class}{ast.get_docstring(child)}"


@cache
def _public_of(path):
    return tuple(_public(ast.parse(path.read_text(encoding="utf-8"))))


def test_errors_are_explained():
    """Every public function names the errors that it raises itself."""
    silent = {}
    for path in FILES:
        for name, function, docstring in _public_of(path):
            if missing := {error for error in _raised(function) if error not in docstring}:
                silent[f"{path.relative_to(ROOT)}: {name}"] = missing
    assert silent == {}


SEE = re.compile(r"\b(?:see|arguments [^.`]*?) `([\w.]+)`", re.IGNORECASE)  # another's, explained there


def _taken(function):
    """Names of the arguments a caller gives, in order."""
    taken = function.args
    every = [*taken.posonlyargs, *taken.args, taken.vararg, *taken.kwonlyargs, taken.kwarg]
    return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]


@pytest.fixture(scope="module")
def explained():
    """Name of a function, with and without its class -> the arguments that each of that name explains."""
    found = {}
    for path in EVERY:
        for name, _, docstring in _public_of(path):
            for word in {name, name.rpartition(".")[2]}:
                found.setdefault(word, []).append(set(_arguments(docstring)))
    return found


def _decorators(function):
    return " ".join(map(ast.unparse, function.decorator_list))


def _is_verb(function):
    """Whether typer shows the docstring, and the help of each argument, as the verb's own."""
    return "typer." in ast.unparse(function.args) or ".command(" in _decorators(function)


def test_every_argument_is_explained(explained):
    """Under ``Args:``, all and in order, or where a function of the same arguments is: "See `Clip.read`."."""
    wrong = {}
    for path, (name, function, docstring) in ((p, each) for p in EVERY for each in _public_of(p)):
        names, said = _taken(function), _arguments(docstring)
        if function.name == "__init__" or ".setter" in _decorators(function):
            continue  # a class explains its attributes
        if function.name == "forward" and "networks" in path.parts:
            continue  # torch says what it is for; shapes stand beside it
        if said == names or ("cli" in path.parts and _is_verb(function)):
            continue
        elsewhere = [found for word in SEE.findall(docstring) for found in explained.get(word, ())]
        if said or not any(set(names) <= found for found in elsewhere):
            wrong[f"{path.relative_to(ROOT)}: {name}"] = f"takes {names}, explains {said}"
    assert wrong == {}
