"""TIPSv2's depth head: as published where transformers has it, a clear sentence where it has not."""

import json

import pytest
import torch
from transformers import CONFIG_MAPPING

from vdepth_core.errors import WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny


def test_an_older_transformers_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(type(CONFIG_MAPPING), "__contains__", lambda mapping, kind: False)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "tipsv2_dpt"}))
    for act in (lambda: load_model(tmp_path), lambda: make_tiny("tipsv2-dpt", tmp_path / "tiny")):
        with pytest.raises(
            WeightsError, match=r"is a tipsv2_dpt, which transformers \d.* does not"
        ) as caught:
            act()
        assert "'transformers>=5.14'" in caught.value.hint
    assert not (tmp_path / "tiny").exists()


def test_it_says_metres_and_takes_any_shape(tiny):
    model = load_model(tiny("tipsv2-dpt"))
    assert (model.spec.quantity, model.spec.space, model.spec.multiple) == ("depth", "metric", 14)
    assert model.spec.native_size == 70
    frames = torch.rand(2, 3, 84, 140)
    depth = model.predict(frames)
    assert depth.shape == (2, 84, 140)
    assert float(depth.min()) >= 1e-3
    assert float(depth.max()) <= 10
    assert float(depth.std()) > 0
    half = load_model(tiny("tipsv2-dpt"), dtype="bf16").predict(frames)
    assert float((half - depth).abs().mean()) < 0.1 * float(depth.std())


def test_pictures_are_scaled_to_one_and_depth_enlarged_linearly_as_published(tiny):
    model = load_model(tiny("tipsv2-dpt"))
    frames, seen = torch.rand(1, 3, 70, 98), []
    hook = model.network.register_forward_hook(lambda _, given, answer: seen.append((given[0], answer)))
    depth = model.predict(frames)
    hook.remove()
    torch.testing.assert_close(seen[0][0], frames)
    small = seen[0][1].predicted_depth[:, None]
    expected = torch.nn.functional.interpolate(small, (70, 98), mode="bilinear", align_corners=False)
    torch.testing.assert_close(depth, expected[:, 0])


def test_the_published_file_of_three_heads_gives_its_depth_head(tiny, tmp_path):
    from safetensors.torch import load_file
    from transformers.models.tipsv2_dpt.modeling_tipsv2_dpt import Tipsv2DptForDensePrediction

    config = CONFIG_MAPPING["tipsv2_dpt"].from_pretrained(tiny("tipsv2-dpt"))
    Tipsv2DptForDensePrediction(config).save_pretrained(tmp_path)
    assert any(key.startswith("normals_head.") for key in load_file(tmp_path / "model.safetensors"))
    assert load_model(tmp_path).predict(torch.rand(1, 3, 70, 70)).shape == (1, 70, 70)
