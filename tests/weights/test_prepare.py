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


def test_it_is_the_last_hidden_state_of_begin_and_end(folder, made, capfd):
    embedding = empty_prompt_embedding(folder)
    assert embedding.shape == (1, 2, 8)
    torch.testing.assert_close(embedding, made[1], rtol=0, atol=1e-6)
    assert torch.equal(load_file(folder / EMPTY_PROMPT)["embedding"], embedding)
    assert capfd.readouterr().err == ""


def test_it_is_computed_once(folder):
    first = empty_prompt_embedding(folder)
    shutil.rmtree(folder / "text_encoder")
    shutil.rmtree(folder / "tokenizer")
    assert torch.equal(empty_prompt_embedding(folder), first)
    assert not first.requires_grad


def test_a_folder_that_cannot_be_written_still_works(folder, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    assert empty_prompt_embedding(folder).shape == (1, 2, 8)
    assert sorted(path.name for path in folder.iterdir()) == ["text_encoder", "tokenizer"]


@pytest.mark.parametrize("part", ["text_encoder", "tokenizer"])
def test_missing_and_damaged_parts_are_named(folder, part):
    weights = folder / "text_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="does not work"):
        empty_prompt_embedding(folder)
    shutil.rmtree(folder / part)
    with pytest.raises(WeightsError, match=part):
        empty_prompt_embedding(folder)


def test_a_damaged_cache_says_so(folder):
    (folder / EMPTY_PROMPT).write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="Delete it"):
        empty_prompt_embedding(folder)


def test_pickles_in_the_folder_are_not_read(folder):
    encoder = folder / "text_encoder"
    torch.save(load_file(encoder / "model.safetensors"), encoder / "pytorch_model.bin")
    (encoder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="does not work"):
        empty_prompt_embedding(folder)


def test_a_text_encoder_that_lacks_tensors_is_not_filled_with_chance(folder):
    path = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    del tensors[next(name for name in tensors if name.endswith("q_proj.weight"))]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks .*q_proj"):
        empty_prompt_embedding(folder)
    assert not (folder / EMPTY_PROMPT).exists()


def test_only_families_that_need_it_are_prepared(folder):
    prepare("midas", folder)
    assert not (folder / EMPTY_PROMPT).exists()
    prepare("rollingdepth", folder)
    assert (folder / EMPTY_PROMPT).is_file()
