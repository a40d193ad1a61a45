"""Numbers that follow each other without a gap, as half-open runs [start, stop)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as the runs [start, stop) they consist of.

    Args:
        numbers: Each once.
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def in_words(run: tuple[int, int]) -> str:
    """A run as people write it: ``7``, or ``7-9`` with its last number.

    Args:
        run: [start, stop), not empty.
    """
    start, stop = run
    return str(start) if stop - start == 1 else f"{start}-{stop - 1}"


def missing_runs(count: int, size: int, done: Callable[[int], bool]) -> list[tuple[int, int]]:
    """Runs [start, stop) of ``count`` items whose batches of ``size`` are not complete.

    They begin and end at multiples of ``size`` (or at the end), so a resumed job runs the same batches.

    Args:
        count: Items there are.
        size: Items a batch.
        done: Whether an item is done.
    """
    parts = range(-(-count // size))
    missing = (k for k in parts if not all(map(done, range(k * size, min((k + 1) * size, count)))))
    return [(first * size, min(last * size, count)) for first, last in runs(missing)]


def batches(found: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """The batches [start, stop) that the runs ``found`` consist of.

    Args:
        found: [start, stop) each.
        size: Numbers a batch, at most.
    """
    for first, last in found:
        for start in range(first, last, size):
            yield start, min(start + size, last)
