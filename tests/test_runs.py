"""Numbers as runs, runs in words, and what is missing of them in whole batches."""

import pytest

from vdepth_core.runs import batches, in_words, missing_runs, runs


@pytest.mark.parametrize(
    ("numbers", "found", "words"),
    [
        ([], [], []),
        ([7], [(7, 8)], ["7"]),
        ([1, 2, 3, 5, 8, 9], [(1, 4), (5, 6), (8, 10)], ["1-3", "5", "8-9"]),
    ],
)
def test_what_follows_without_a_gap_is_one_run(numbers, found, words):
    assert runs(numbers) == found
    assert [in_words(run) for run in found] == words


@pytest.mark.parametrize(
    ("done", "missing", "cut"),
    [
        (set(), [(0, 10)], [(0, 4), (4, 8), (8, 10)]),
        (set(range(10)), [], []),
        ({0, 1, 2, 3, 8}, [(4, 10)], [(4, 8), (8, 10)]),
        ({4, 5, 6, 7}, [(0, 4), (8, 10)], [(0, 4), (8, 10)]),
    ],
)
def test_what_is_missing_lies_on_the_batches_of_a_fresh_run(done, missing, cut):
    assert missing_runs(10, 4, done.__contains__) == missing
    assert list(batches(missing, 4)) == cut
    assert missing_runs(0, 4, done.__contains__) == []
