"""What a file says about its licence is its own claim: marked, of printable characters, and short."""

import pytest
import torch
from safetensors.torch import save_file

from vdepth_core.models.licence import CLAIM, claim_of_file, claim_of_folder, claimed
from vdepth_core.weights.loading import read_metadata


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("MIT", "MIT" + CLAIM),
        ("  MIT\n AND\tX ", "MIT AND X" + CLAIM),
        ("A\x1b[2J\u202eB", "A [2J B" + CLAIM),
        ("", "unknown"),
        ("unknown", "unknown"),
        (f"MIT{CLAIM} AND X{CLAIM}", "MIT AND X" + CLAIM),
    ],
)
def test_a_claim_is_one_marked_line(text, line):
    assert claimed(text) == line
    assert claimed(line) == line


def test_a_claim_is_short():
    assert len(claimed("x" * 10_000)) <= 120 + len(CLAIM)


def test_a_weights_file_claims(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"license": "<b>MIT</b>\n" * 99, "commercial": "true"})
    line, commercial = claim_of_file(read_metadata(path))
    assert commercial
    assert line.endswith(CLAIM)
    assert len(line) < 160
    assert "\n" not in line
    path.write_bytes(b"nothing")
    assert claim_of_file(read_metadata(path)) == ("unknown", False)


def test_a_folder_claims_and_only_permissive_licences_are_commercial(tmp_path):
    assert claim_of_folder(tmp_path) == ("unknown", False)
    for text, expected in (
        ("license: mit", ("MIT" + CLAIM, True)),
        ("license: other\nlicense_name: my-own", ("my-own" + CLAIM, False)),
        ("license: [a]", ("unknown", False)),
        ("license: {", ("unknown", False)),
    ):
        (tmp_path / "README.md").write_text(f"---\n{text}\n---\n")
        assert claim_of_folder(tmp_path) == expected
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n" + "x" * (2 << 20))
    assert claim_of_folder(tmp_path) == ("unknown", False)
