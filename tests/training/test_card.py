"""The model card names every source with its licence, and what training did."""

from types import SimpleNamespace

import numpy as np
import pytest

from vdepth_core.learning.checkpoint import Counters
from vdepth_core.training.card import UNKNOWN, keep_licence, licences_of, write
from vdepth_core.training.config import TrainConfig
from vdepth_core.training.shards import write_shard
from vdepth_core.training.sources import Shards

MIT = (
    "Copyright 2017 Somebody\n\nPermission is hereby granted, free of charge, to any person obtaining a copy"
)
CATALOGUE = "LICENSE\n\nThis file is under the Creative Commons Attribution 3.0\nLicense (CC-BY 3.0)"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("LICENSE", MIT, "MIT"),
        (
            "LICENSE-APACHE.txt",
            "   Apache License\n   Version 2.0, January 2004",
            "Apache License Version 2.0",
        ),
        ("license.md", "SPDX-License-Identifier: CC0-1.0\n", "CC0-1.0"),
        ("COPYING", "GNU General Public License\nversion 3", "GNU General Public License"),
        ("LICENSE.TXT", CATALOGUE, "Creative Commons Attribution 3.0"),
        ("LICENSE.TXT", "\n  Ask our lawyers | first\n", "Ask our lawyers / first"),
        ("licensed_by_nobody.txt", MIT, UNKNOWN),
    ],
)
def test_licence_of_a_folder_and_of_a_file_in_it(tmp_path, name, text, found):
    (tmp_path / name).write_text(text)
    assert licences_of(tmp_path) == found
    assert licences_of(tmp_path / "clip.mp4") == found


def test_a_licence_beside_the_file_goes_first_and_those_of_parts_are_gathered(tmp_path):
    (tmp_path / "LICENSE").write_text(MIT)
    (tmp_path / "clip.mp4.license").write_text("SPDX-License-Identifier: CC-BY-4.0")
    assert licences_of(tmp_path / "clip.mp4") == "CC-BY-4.0"
    for name, text in (("a", MIT), ("b", CATALOGUE), ("c", MIT)):
        (tmp_path / "set" / "catalogues" / name).mkdir(parents=True)
        (tmp_path / "set" / "catalogues" / name / "LICENSE.TXT").write_text(text)
    assert licences_of(tmp_path / "set") == "MIT, Creative Commons Attribution 3.0"
    assert licences_of(tmp_path / "gone" / "clip.mp4") == UNKNOWN


def test_card_names_sources_settings_and_errors(tmp_path):
    (tmp_path / "LICENSE").write_text(MIT)
    sources = [
        SimpleNamespace(kind="cycles", contents="5 shards", origins=(tmp_path,)),
        SimpleNamespace(kind="procedural", contents="9 scenes", origins=()),
    ]
    counters = Counters(
        "seed 7", "tcmonodepth-small", step=40, elapsed=5400.0, losses=[2.0, 1.0],
        history=[(20, {"cycles": 0.5}), (40, {"cycles": 0.25})],
    )  # fmt: skip
    config = TrainConfig(seed=7, temporal=0.25)
    write(tmp_path / "mine.safetensors", sources, config, counters)
    card = (tmp_path / "mine.md").read_text(encoding="utf-8")
    for line in (
        "# mine",
        "| Started from | tcmonodepth-small |",
        "| Seed | 7 |",
        "| Hours | 1.50, 1 CPU thread(s) |",
        "| Temporal loss | residual, λ = 0.25, σ = 50 |",
        "| Training loss | 1.5000, mean of the last 2 steps |",
        f"| 70% | cycles | 5 shards | {tmp_path.name} (MIT) |",
        "| 30% | procedural | 9 scenes | made by vdepth |",
        "| 20 | 0.5000 |",
        "| 40 | 0.2500 |",
    ):
        assert line in card.splitlines()


def test_few_rendered_scenes_have_the_share_they_are_drawn_with(tmp_path):
    picture = np.zeros((2, 40, 60, 3), np.uint8)
    (tmp_path / "few").mkdir()
    for number in range(10):
        write_shard(tmp_path / "few" / f"train-{number}.npz", picture, picture[..., 0])
    few = Shards("cycles", [tmp_path / "few"], exact=True, floor=0.1)
    few.enlist({}, 0, closed=False)
    many = SimpleNamespace(kind="procedural", contents="9 scenes", origins=())
    write(tmp_path / "mine.safetensors", [few, many], TrainConfig(), Counters("seed 7", step=40))
    card = (tmp_path / "mine.md").read_text(encoding="utf-8")
    assert "| 19% | cycles | 10 shards, 0 more held out |" in card  # a tenth of .35, against .15
    assert "| 81% | procedural |" in card


def test_card_of_a_training_that_was_stopped_at_once(tmp_path):
    write(tmp_path / "mine.safetensors", [], TrainConfig(temporal=0), Counters("seed 0"))
    card = (tmp_path / "mine.md").read_text(encoding="utf-8")
    assert "| Started from | random weights |" in card
    assert "| Temporal loss | none |" in card
    assert "Not measured" in card


def test_a_folder_made_of_data_keeps_their_licence(tmp_path):
    """And says nothing where nothing is known: a LICENSE that is put beside it later is read then."""
    data, folder = tmp_path / "data", tmp_path / "made"
    data.mkdir()
    folder.mkdir()
    keep_licence(data, folder)
    assert not list(folder.iterdir())
    (data / "LICENSE").write_text("SPDX-License-Identifier: CC0-1.0\n", encoding="utf-8")
    keep_licence(data, folder)
    assert licences_of(folder) == licences_of(data) == "CC0-1.0"
