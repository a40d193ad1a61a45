"""Whatever lies in a job's folder and whatever the user does, vdepth touches only what it wrote itself.

``benchmarks/folder_rule.py`` runs many more of these worlds.
"""

from collections import Counter

from jobs.folder_worlds import Clips, World

WORLDS = 12


def test_nothing_foreign_ever_changes(tmp_path):
    clips, told = Clips(tmp_path / "made"), Counter()
    for seed in range(WORLDS):
        World(tmp_path / str(seed), clips, seed, told).live(turns=3)
    assert told["done"] > WORLDS / 3, told
    assert told["job_conflict"] > WORLDS / 5, told
    assert told["cancelled"], told
