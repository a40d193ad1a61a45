"""The public surface is frozen: a name is added here on purpose or not at all."""

import subprocess
import sys

import vdepth_core

PUBLIC = {
    "EstimateConfig",
    "Manifest",
    "VdepthError",
    "adapt",
    "estimate",
    "evaluate",
    "export",
    "list_models",
    "load_model",
    "open_clip",
    "read_sequence",
    "stream",  # a generator over live pictures: no job, no folder, so `estimate` cannot be it
}


def test_public_names_are_frozen():
    assert set(vdepth_core.__all__) == PUBLIC
    for name in PUBLIC:
        assert callable(getattr(vdepth_core, name))
        assert getattr(vdepth_core, name).__doc__


def test_unknown_name_is_an_attribute_error():
    assert not hasattr(vdepth_core, "frobnicate")


def test_import_is_light():
    code = "import sys, vdepth_core; assert not {'torch', 'cv2', 'av'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
