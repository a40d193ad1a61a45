"""Installing and removing never work through a link: what lies behind it is not ours."""

import os

import pytest
from weights import installing, small_catalogue

from vdepth_core.errors import ResourceError
from vdepth_core.weights.install import install, remove

single = installing.single
fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = [
    pytest.mark.usefixtures("fresh_catalogue"),
    pytest.mark.skipif(os.name == "nt", reason="links need a privilege there"),
]


@pytest.mark.parametrize("place", [".work", ".work/one", ".work/one/fetched", ".work/one/ready", "one"])
@pytest.mark.parametrize("act", [install, remove])
def test_a_link_in_the_weights_folder_is_refused(single, tmp_path, place, act):
    folder = single[1]
    install("one")
    other = tmp_path / "precious"
    (other / "0123456789ab").mkdir(parents=True)  # as a version is called
    (other / "source").write_text("theirs")
    link = folder / place
    if link.exists():
        link.rename(tmp_path / "moved")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(other, target_is_directory=True)
    with pytest.raises(ResourceError, match="is a link"):
        act("one", **({"force": True} if act is install else {}))
    assert (other / "source").read_text() == "theirs"
    assert (other / "0123456789ab").is_dir()
    assert len(list(other.iterdir())) == 2
