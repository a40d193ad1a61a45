"""The ways a file is damaged for fuzz.py."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TEXTS = (b"depth, they said\n" * 40, b"\xff\xfe\x00plate \xe9\x80", b"\r\n", b"nan inf 1e999 -0\n" * 16)
_JSONS = (b"[" * 200_000, b'{"a":' * 100_000, b"[]", b"{}", b"null", b"1e999", b'"text"', b"1" * 6000,
          b'{"schema_version": "two"}', b"{" + b"\0" * 60, b'{"job": "\\ud800"}')  # fmt: skip
_WRONG: tuple[Any, ...] = (None, -1, 0, 1e308, 1 << 70, "", "\0", "../../x", [], {}, [[]], True, "nan", "1/0")


def damage(path: Path, others: Sequence[Path], chance: random.Random) -> str:
    """Damages one file in one of many ways and says which.

    Args:
        path: The file; a folder, or nothing, may stand in its place afterwards.
        others: Sound files of all kinds, for those that have the wrong suffix.
        chance: Decides.
    """
    data = path.read_bytes()
    ways = ["cut", "cut", "head lost", "flip", "flip", "flip in head", "flip in head", "flip in tail",
            "zeros", "zero block", "empty", "text", "noise", "other kind", "folder", "gone", "link to itself",
            "doubled", "tail added", "no file but a pipe"]  # fmt: skip
    if path.suffix in (".json", ".jsonl"):
        ways += ["json"] * 8 + ["value"] * 12
    if path.suffix == ".txt":
        ways += ["numbers"] * 15
    way = chance.choice(ways)
    match way:
        case "folder":
            path.unlink()
            path.mkdir()
        case "gone":
            path.unlink()
        case "link to itself":
            path.unlink()
            path.symlink_to(path.name)
        case "no file but a pipe":
            path.unlink()
            os.mkfifo(path)
        case _:
            path.write_bytes(_damaged(way, data, others, chance))
    return way


def _damaged(way: str, data: bytes, others: Sequence[Path], chance: random.Random) -> bytes:
    size = max(1, len(data))
    at = chance.randrange(size)
    spoiled = bytearray(data)
    match way:
        case "cut":
            return data[:at]
        case "head lost":
            return data[at:]
        case "flip":
            _flip(spoiled, 0, size, chance)
        case "flip in head":
            _flip(spoiled, 0, min(size, 400), chance)
        case "flip in tail":
            _flip(spoiled, max(0, size - 400), size, chance)
        case "zeros":
            return bytes(size)
        case "zero block":
            spoiled[at : at + 2000] = bytes(len(spoiled[at : at + 2000]))
        case "empty":
            return b""
        case "text":
            return chance.choice(_TEXTS)
        case "noise":
            return chance.randbytes(size)
        case "other kind":
            return chance.choice(others).read_bytes()
        case "doubled":
            return data + data
        case "tail added":
            return data + chance.randbytes(chance.choice((1, 500, 50_000)))
        case "json":
            return chance.choice(_JSONS)
        case "value":
            return _wrong_value(data, chance)
        case "numbers":
            return _wrong_number(data, chance)
    return bytes(spoiled)


def _flip(data: bytearray, start: int, stop: int, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 30)) if data else 0):
        data[chance.randrange(start, min(stop, len(data)))] ^= 1 << chance.randrange(8)


def _wrong_number(data: bytes, chance: random.Random) -> bytes:
    words = data.split(b" ")
    words[chance.randrange(len(words))] = chance.choice(
        (b"nan", b"inf", b"-1e300", b"0", b"", b"x", b"1 2 3")
    )
    return b" ".join(words)


def _wrong_value(data: bytes, chance: random.Random) -> bytes:
    """One value, somewhere in one of the file's JSON lines, is another."""
    lines = [data] if data.lstrip().startswith(b"{\n") else data.splitlines()
    at = chance.randrange(len(lines))
    tree = json.loads(lines[at])
    parent: Any = tree
    while True:
        key = chance.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        if isinstance(parent[key], dict | list) and parent[key] and chance.random() < 0.8:
            parent = parent[key]
            continue
        if chance.random() < 0.2:
            del parent[key]
        else:
            parent[key] = chance.choice(_WRONG)
        lines[at] = json.dumps(tree).encode()
        return b"\n".join(lines) + b"\n"
