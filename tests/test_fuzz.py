"""A few damaged inputs through every verb; benchmarks/fuzz.py sends hundreds."""

import json
import os
from pathlib import Path

import pytest
from processes import run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each run is a fork")
@pytest.mark.parametrize("inputs", ["23", pytest.param("27", marks=pytest.mark.slow)])  # of every kind
def test_damaged_inputs_are_sentences_and_documented_codes(inputs):
    folder = Path(__file__).parents[1] / "benchmarks"
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import fuzz; fuzz.main()"
    done = run(code, "--inputs", inputs, "--seed", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["ours"] == 0, done.stdout
    assert facts["baseline"] > 40
