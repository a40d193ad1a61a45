from __future__ import annotations

from pathlib import Path

import pytest
from clip_media import numbered, write_movie


@pytest.fixture(scope="session")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames, H.264 with B-frames, a key frame every 12."""
    path = tmp_path_factory.mktemp("movie") / "plain.mp4"
    return write_movie(
        path, (numbered(k, shift=k) for k in range(60)), options={"g": "12", "bf": "3", "sc_threshold": "0"}
    )
