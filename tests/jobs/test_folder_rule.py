"""Whatever lies in a job's folder and whatever the user does, vdepth touches only what it wrote itself.

``benchmarks/folder_rule.py`` runs many more of these worlds.
"""

from collections import Counter

import pytest
from jobs.folder_worlds import Clips, World


@pytest.mark.parametrize("worlds", [12, pytest.param(20, marks=pytest.mark.slow)])
def test_nothing_foreign_ever_changes(tmp_path, worlds):
    clips, told = Clips(tmp_path / "made"), Counter()
    for seed in range(worlds):
        World(tmp_path / str(seed), clips, seed, told).live(turns=3)
    assert told["done"] > worlds / 3, told
    assert told["job_conflict"] > worlds / 5, told
    assert told["cancelled"], told
