"""Random one-token faults in the package: how many does no test see?

    pip install cosmic-ray coverage
    python benchmarks/mutants.py [--count 200] [--seed 1] [--jobs 1] [--only flow store.py]

A mutant is one token changed: a number, a sign, an operator, a comparison, ``and`` or ``not``, True or
False. Places are drawn evenly from the rooms below, then what happens there. The operators are Cosmic Ray's,
the runs are not: it starts one test command anew for every mutant, which here is seconds of importing torch
and minutes of tests. This script forks from a process that has the libraries loaded, in a copy of the
checkout, and runs only the tests that reach the mutated line (`mutant_tests`), quick ones first, until one
fails.

``ours`` is the share that survives and is not in ``mutants_judged.json``: mutants that a reader found to
change nothing (equivalent), only a speed (cost), or a constant with no right value (tuning). ``baseline`` is
the share that may.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes, get_ast, is_number
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from footage import machine
from mutant_tests import Child, TestMap, files_of, load_libraries

ROOMS = ("align", "evaluation", "flow", "methods", "clip/timing.py", "output", "store.py")
ALLOWED = 0.15
CACHE = "build/mutants.json"
CONTROL = 4  # of the mutants are first run without their fault: it must not be seen
JUDGED = Path(__file__).with_name("mutants_judged.json")
# Only what a slip of the pen may write: `a << b` of floats dies of a TypeError and says nothing about tests.
SWAPS = {
    "BinaryOperator": """Add_Sub Sub_Add Mul_Div Div_Mul Mul_Add Add_Mul FloorDiv_Mul FloorDiv_Mod
        Mod_FloorDiv Pow_Mul LShift_RShift RShift_LShift BitAnd_BitOr BitOr_BitAnd BitXor_BitOr""",
    "ComparisonOperator": """Lt_LtE LtE_Lt Gt_GtE GtE_Gt Lt_GtE LtE_Gt Gt_LtE GtE_Lt
        Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is""",
    "UnaryOperator": "Delete_USub Delete_Not Delete_Invert",
}
OTHERS = """AddNot ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd
    ReplaceBreakWithContinue ReplaceContinueWithBreak"""


class Number(Operator):
    """A whole number one more or less, any other twice or half: a small bound plus 1 is easy to see."""

    def mutation_positions(self, node: parso.tree.NodeOrLeaf) -> Iterator[tuple[object, object]]:
        if is_number(node):
            yield from [(node.start_pos, node.end_pos)] * 2

    def mutate(self, node: parso.tree.NodeOrLeaf, index: int) -> parso.tree.NodeOrLeaf:
        value = ast.literal_eval(node.value)
        value = value * (2, 0.5)[index] if isinstance(value, float) and value else value + (1, -1)[index]
        return parso.python.tree.Number(repr(value), node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def operators() -> dict[str, Operator]:
    """All that may happen to a token, by name."""
    names = [f"Replace{kind}_{swap}" for kind, swaps in SWAPS.items() for swap in swaps.split()]
    names += OTHERS.split()
    return {"Number": Number()} | {name: get_operator(f"core/{name}")() for name in names}


@dataclass(frozen=True)
class Mutant:
    """One changed token: file below the package, line from 1, the line's text before and after."""

    file: str
    line: int
    before: str
    after: str
    code: str  # of the whole file, and what it was
    original: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What names it when lines have moved."""
        return self.file, self.before, self.after


def draw(package: Path, rooms: list[str], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants of the rooms, by a seed."""
    chance, found = random.Random(seed), operators()
    sites: dict[tuple[Path, tuple[int, int]], list[tuple[str, int]]] = {}
    for file in files_of(package, rooms):
        text = file.read_text("utf-8")
        tree, silent = get_ast(text), silent_parts(text)
        rows = text.split("\n")
        for name, operator in found.items():
            positions = [at for node in ast_nodes(tree) for at in operator.mutation_positions(node)]
            for occurrence, ((line, column), _) in enumerate(positions):
                start = line, column
                asterisk = rows[line - 1].startswith(("*,", "/,"), column)  # of a signature
                if not asterisk and not any(first <= start < last for first, last in silent):
                    sites.setdefault((file, start), []).append((name, occurrence))
    places, mutants = sorted(sites), []
    chance.shuffle(places)
    for file, start in places[:count]:
        name, occurrence = chance.choice(sites[file, start])
        text = file.read_text("utf-8")
        code = mutate_code(text, found[name], occurrence)
        row = next(
            n for n, (a, b) in enumerate(zip(text.split("\n"), code.split("\n"), strict=True)) if a != b
        )
        lines = (text.split("\n")[row].strip(), code.split("\n")[row].strip())
        mutants.append(Mutant(str(file.relative_to(package)), row + 1, *lines, code, text))
    return mutants


def silent_parts(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a file says what holds anyhow: types, and ``frozen`` and ``strict``, guards of programmers."""
    silent: list[ast.AST] = []
    for node in ast.walk(ast.parse(text)):
        silent += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.keyword) and node.arg in ("frozen", "strict"):
            silent.append(node.value)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            silent.append(node)
    return [
        ((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset))
        for part in silent
        if isinstance(part, ast.expr | ast.If)
    ]


def main() -> None:
    """Draws, runs, prints the table and the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="mutants tried at once")
    parser.add_argument("--only", nargs="+", default=list(ROOMS), help="rooms below vdepth_core")
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests a mutant, at most")
    parser.add_argument("--list", action="store_true", help="only say which mutants there would be")
    options = parser.parse_args()
    root = Path(__file__).parents[1]
    mutants = draw(root / "vdepth_core", options.only, options.count, options.seed)
    if options.list:
        for mutant in mutants:
            print(f"{mutant.file}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
        return

    load_libraries()
    judged = {(j["file"], j["before"], j["after"]): j["why"] for j in json.loads(JUDGED.read_text("utf-8"))}
    with tempfile.TemporaryDirectory(prefix="vdepth-mutants-") as made:
        copies = [Path(made) / str(job) / "vdepth" for job in range(options.jobs)]
        for copy in copies:
            hidden = shutil.ignore_patterns(".*", "build", "dist", "__pycache__")
            shutil.copytree(root, copy, ignore=hidden)
        tests = TestMap.measured(copies[0], ROOMS, root / CACHE)
        control = [replace(mutant, code=mutant.original) for mutant in mutants[:CONTROL]]
        if failed := [
            m for m, how in try_all(control, copies, tests, options.seconds).items() if how != "survived"
        ]:
            raise SystemExit(f"tests fail without a fault: {[f'{m.file}:{m.line}' for m in failed]}")
        outcome = try_all(mutants, copies, tests, options.seconds)

    table: dict[str, Counter[str]] = {}
    for mutant, how in outcome.items():
        kind = "judged" if how == "survived" and mutant.identity in judged else how
        table.setdefault(next(room for room in options.only if mutant.file.startswith(room)), Counter())[
            kind
        ] += 1
    kinds = ("killed", "timeout", "judged", "survived")
    print(f"\n{'room':<16}" + "".join(f"{kind:>10}" for kind in kinds))
    for room, counts in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{room:<16}" + "".join(f"{counts[kind]:>10}" for kind in kinds))
    for kind in ("survived", "judged"):
        print(f"\n{kind}:")
        for mutant in (m for m, how in outcome.items() if how == "survived"):
            if (mutant.identity in judged) == (kind == "judged"):
                why = f"  ({judged[mutant.identity]})" if kind == "judged" else ""
                print(f"{mutant.file}:{mutant.line}{why}\n  - {mutant.before}\n  + {mutant.after}")
    left = sum(how == "survived" and m.identity not in judged for m, how in outcome.items()) / len(outcome)
    print(
        json.dumps(
            {
                "benchmark": "mutants",
                "ratio": round(left / ALLOWED, 3),
                "ours": round(left, 3),
                "baseline": ALLOWED,
                "unit": f"share of {len(outcome)} mutants that survive",
                "machine": machine(),
            }
        )
    )


def try_all(mutants: list[Mutant], copies: list[Path], tests: TestMap, seconds: float) -> dict[Mutant, str]:
    """How each mutant ended: killed, timeout or survived."""
    outcome: dict[Mutant, str] = {}
    waiting, free, running = list(mutants), list(copies), dict[Child, Mutant]()
    while waiting or running:
        while waiting and free:
            mutant, copy = waiting.pop(0), free.pop()
            chosen, expected = tests.reaching(mutant.file, mutant.line, seconds)
            (copy / "vdepth_core" / mutant.file).write_text(mutant.code, "utf-8")
            running[Child.pytest(copy, ["-x", *chosen], limit=20 + 4 * expected)] = mutant
        time.sleep(0.05)
        for child in [child for child in running if child.ended()]:
            mutant = running.pop(child)
            (child.copy / "vdepth_core" / mutant.file).write_text(mutant.original, "utf-8")
            free.append(child.copy)
            outcome[mutant] = child.outcome
            print(
                f"{len(outcome):>4} {child.outcome:<8} {child.seconds:5.1f} s  {mutant.file}:{mutant.line}  ",
                end="",
            )
            print(
                f"{mutant.before}  →  {mutant.after}" + (f"  [{child.said}]" if child.said else ""),
                flush=True,
            )
    return outcome


if __name__ == "__main__":
    main()
