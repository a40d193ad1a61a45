"""The empty prompt's embedding: computed once, as the text encoder gives it without padding."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from vdepth_core.errors import WeightsError
from vdepth_core.weights.prepare import EMPTY_PROMPT, empty_prompt_embedding, prepare

BEGIN, END = 3, 1


def write_text_parts(folder):
    """A tiny CLIP text encoder and its tokenizer, in the published layout; returns the network."""
    from transformers import CLIPTextConfig, CLIPTextModel
    from transformers.utils import logging

    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=BEGIN, eos_token_id=END,
    )  # fmt: skip
    network = CLIPTextModel(config).eval()
    logging.disable_progress_bar()
    network.save_pretrained(folder / "text_encoder")
    logging.enable_progress_bar()
    words = {"<|startoftext|>": BEGIN, "<|endoftext|>": END, "!": 0, "a</w>": 2}
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!"}
    facts = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "unk_token": "<|endoftext|>",
        **special,
    }
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer/vocab.json").write_text(json.dumps(words))
    (folder / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer/tokenizer_config.json").write_text(json.dumps(facts))
    return network


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with text parts, and the embedding the network itself gives for begin and end."""
    folder = tmp_path_factory.mktemp("model")
    network = write_text_parts(folder)
    with torch.inference_mode():
        return folder, network(torch.tensor([[BEGIN, END]])).last_hidden_state


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "model")


DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def test_it_is_the_last_hidden_state_of_begin_and_end(folder, made, capfd):
    embedding = empty_prompt_embedding(folder, torch.float32)
    assert embedding.shape == (1, 2, 8)
    torch.testing.assert_close(embedding, made[1], rtol=0, atol=1e-6)
    assert not embedding.requires_grad
    assert capfd.readouterr().err == ""


def test_it_is_computed_in_the_models_own_precision(folder, made):
    from transformers import CLIPTextModel

    for dtype in (*DTYPES, torch.float64):
        encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype)
        with torch.inference_mode():
            expected = encoder(torch.tensor([[BEGIN, END]])).last_hidden_state
        found = empty_prompt_embedding(folder, dtype)
        assert found.dtype == dtype
        assert torch.equal(found, expected)
    assert not torch.equal(empty_prompt_embedding(folder, torch.bfloat16), made[1].bfloat16())


def test_loading_writes_nothing_into_the_folder(folder):
    before = sorted(folder.rglob("*"))
    empty_prompt_embedding(folder, torch.float32)
    assert sorted(folder.rglob("*")) == before


def test_it_is_computed_once_at_install(folder):
    before = {dtype: empty_prompt_embedding(folder, dtype) for dtype in DTYPES}
    wide = empty_prompt_embedding(folder, torch.float64)
    prepare("rollingdepth", folder)
    shutil.rmtree(folder / "text_encoder")
    shutil.rmtree(folder / "tokenizer")
    for dtype, expected in before.items():
        assert torch.equal(empty_prompt_embedding(folder, dtype), expected)
    assert torch.allclose(empty_prompt_embedding(folder, torch.float64), wide, atol=1e-6)


def test_what_an_older_vdepth_kept_is_still_good(folder, made):
    save_file({"embedding": made[1].contiguous()}, folder / EMPTY_PROMPT)
    shutil.rmtree(folder / "text_encoder")
    assert torch.equal(empty_prompt_embedding(folder, torch.float32), made[1])


@pytest.mark.parametrize("part", ["text_encoder", "tokenizer"])
def test_missing_and_damaged_parts_are_named(folder, part):
    weights = folder / "text_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="is damaged"):
        empty_prompt_embedding(folder, torch.float32)
    shutil.rmtree(folder / part)
    with pytest.raises(WeightsError, match=part):
        empty_prompt_embedding(folder, torch.float32)


def test_a_tokenizer_without_its_two_words_is_named(folder):
    (folder / "tokenizer/vocab.json").write_text(json.dumps({"a": 0}))
    with pytest.raises(WeightsError, match="startoftext"):
        empty_prompt_embedding(folder, torch.float32)


def test_the_vocabulary_may_lie_in_tokenizer_json(folder, made):
    words = json.loads((folder / "tokenizer/vocab.json").read_text())
    (folder / "tokenizer/vocab.json").unlink()
    (folder / "tokenizer/tokenizer.json").write_text(json.dumps({"model": {"vocab": words}}))
    assert torch.allclose(empty_prompt_embedding(folder, torch.float32), made[1], atol=1e-6)


def test_a_damaged_cache_says_so(folder):
    (folder / EMPTY_PROMPT).write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="Delete it"):
        empty_prompt_embedding(folder, torch.float32)


def test_pickles_in_the_folder_are_not_read(folder):
    encoder = folder / "text_encoder"
    torch.save(load_file(encoder / "model.safetensors"), encoder / "pytorch_model.bin")
    (encoder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors does not exist"):
        empty_prompt_embedding(folder, torch.float32)


def test_a_text_encoder_that_lacks_tensors_is_not_filled_with_chance(folder):
    path = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    del tensors[next(name for name in tensors if name.endswith("q_proj.weight"))]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks .*q_proj"):
        empty_prompt_embedding(folder, torch.float32)


def test_only_families_that_need_it_are_prepared(folder):
    prepare("midas", folder)
    assert not (folder / EMPTY_PROMPT).exists()
    prepare("rollingdepth", folder)
    assert (folder / EMPTY_PROMPT).is_file()
