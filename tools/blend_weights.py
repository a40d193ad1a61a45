# SPDX-License-Identifier: Apache-2.0
"""Writes weights on the straight way between two of one network.

python tools/blend_weights.py START.safetensors END.safetensors SHARE OUT.safetensors

SHARE 0 is START, 1 is END. Between two trainings lies what forgets less of pictures unlike the last one's
(Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022). ``train-embedded --blend`` does it
within one training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vdepth_core.errors import VdepthError
from vdepth_core.training.train import export
from vdepth_core.weights.loading import load_state_dict


def main() -> None:
    """Reads the command line and writes the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("start", type=Path)
    parser.add_argument("end", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    if not 0 <= options.share <= 1:
        parser.error(f"a share of {options.share:g} is not between 0 and 1")
    if options.out.exists():
        parser.error(f"{options.out} is there already: choose another name")
    try:
        start, end = load_state_dict(options.start), load_state_dict(options.end)
        if {k: v.shape for k, v in start.items()} != {k: v.shape for k, v in end.items()}:
            parser.error(f"{options.start.name} and {options.end.name} are of different networks")
        share = options.share
        # not `checkpoint.blend`: it rounds otherwise, and the released weights were made with this sum
        between = {k: (1 - share) * start[k].float() + share * v.float() for k, v in end.items()}
        counters = {k: v for k, v in end.items() if not v.is_floating_point()}
        export({**between, **counters}, options.out)
    except VdepthError as error:
        parser.error(f"{error.message} {error.hint}")


if __name__ == "__main__":
    main()
