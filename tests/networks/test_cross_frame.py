"""Cross-frame attention: a snippet's frames see each other, snippets do not, and it cannot get lost."""

import logging
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0

from vdepth_core.networks import cross_frame
from vdepth_core.networks.cross_frame import CrossFrameAttention


def small_unet(dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            in_channels=8,
            block_out_channels=[8, 16],
            layers_per_block=1,
            down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
            cross_attention_dim=8,
            attention_head_dim=[2, 4],
            norm_num_groups=4,
            use_linear_projection=True,
        )
    return unet.eval().requires_grad_(False).to(dtype)


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def unet():
    unet = small_unet()
    cross_frame.install(unet)
    return unet


PROMPT = numbers(1, 2, 8, seed=9)


def denoise(unet, sample):
    return cross_frame.denoise(unet, sample, 999, PROMPT.to(sample.dtype))


def slow_attention(attn, tokens, views):
    """Softmax attention of every token to all tokens of its snippet, snippet by snippet and head by head."""
    width = tokens.shape[2] // attn.heads
    out = torch.zeros_like(tokens)
    for first in range(0, len(tokens), views):
        snippet = tokens[first : first + views].reshape(-1, tokens.shape[2])
        for head in range(attn.heads):
            own = slice(head * width, (head + 1) * width)
            q, k, v = (layer(snippet)[:, own] for layer in (attn.to_q, attn.to_k, attn.to_v))
            mixed = torch.softmax(q @ k.T / width**0.5, 1) @ v
            out[first : first + views, :, own] = mixed.reshape(views, -1, width)
    return attn.to_out[0](out)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_equals_the_slow_reference(unet, views):
    attn = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    tokens = numbers(6, 12, 16)
    fast = attn(tokens, num_view=views)
    torch.testing.assert_close(fast, slow_attention(attn, tokens, views), rtol=0, atol=1e-12)


def test_a_frame_sees_the_other_frames_of_its_snippet_and_no_others(unet):
    sample = numbers(2, 3, 8, 8, 8)
    before = denoise(unet, sample)
    sample[0, 2] += 1
    after = denoise(unet, sample)
    assert float((after[0, 0] - before[0, 0]).abs().max()) > 1e-3
    torch.testing.assert_close(after[1], before[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_alone_a_frame_is_as_with_the_stock_processor(dtype):
    unet = small_unet(dtype)
    sample = numbers(4, 1, 8, 8, 8).to(dtype)
    stock = unet(sample[:, 0], 999, encoder_hidden_states=PROMPT.to(dtype).expand(4, -1, -1)).sample
    cross_frame.install(unet)
    assert torch.equal(denoise(unet, sample)[:, 0], stock)


def test_a_batch_of_snippets_is_its_snippets(unet):
    sample = numbers(3, 3, 8, 8, 8)
    one_by_one = torch.cat([denoise(unet, sample[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(denoise(unet, sample), one_by_one, rtol=0, atol=1e-12)


def test_text_attention_stays_as_it_is_and_takes_the_argument_in_silence(unet):
    remarks = []
    handler = logging.Handler()
    handler.emit = remarks.append
    logger = logging.getLogger("diffusers")
    logger.addHandler(handler)
    try:
        attn = unet.mid_block.attentions[0].transformer_blocks[0].attn2
        tokens, text = numbers(6, 12, 16), PROMPT.expand(6, -1, -1)
        ours = attn(tokens, text, num_view=3)
        denoise(unet, numbers(1, 3, 8, 8, 8))
    finally:
        logger.removeHandler(handler)
    assert torch.equal(ours, AttnProcessor2_0()(attn, tokens, text))
    assert remarks == []


def test_a_lost_num_view_is_an_error(unet):
    sample = numbers(3, 8, 8, 8)
    with pytest.raises(TypeError, match="num_view"):
        unet(sample, 999, encoder_hidden_states=PROMPT.expand(3, -1, -1))
    with pytest.raises(TypeError, match="num_view"):
        unet.mid_block.attentions[0].transformer_blocks[0].attn1(numbers(3, 12, 16))


def test_replaced_processors_are_an_error():
    unet = small_unet()
    with pytest.raises(ValueError, match="4 of 4"):
        denoise(unet, numbers(1, 3, 8, 8, 8))
    cross_frame.install(unet)
    unet.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(AttnProcessor2_0())
    with pytest.raises(ValueError, match=r"1 of 4 .*mid_block"):
        denoise(unet, numbers(1, 3, 8, 8, 8))
    with pytest.raises(ValueError, match="0 of 0"):
        cross_frame.check(SimpleNamespace(attn_processors={}))


@pytest.mark.parametrize("views", [0, 2])
def test_no_whole_snippets(unet, views):
    attn = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    with pytest.raises(ValueError, match="whole number"):
        attn(numbers(3, 12, 16), num_view=views)
    with pytest.raises(ValueError, match="self-attention"):
        CrossFrameAttention()(attn, numbers(3, 12, 16), numbers(3, 2, 16), num_view=3)
