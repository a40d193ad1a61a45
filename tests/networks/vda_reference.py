"""Video Depth Anything written down slowly, straight from its description: loops over frames, heads, pixels.

``state`` is a published state dict. Nothing here is shared with the network under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import (
    conv2d,
    conv_transpose2d,
    gelu,
    group_norm,
    interpolate,
    layer_norm,
    linear,
    relu,
    softmax,
)

State = Mapping[str, Tensor]


def depth(state: State, frames: Tensor, taken: tuple[int, ...], head: str = "head.") -> Tensor:
    """Normalised frames (T, 3, H, W), one window -> what comes before the last activation, (T, H, W)."""
    per_frame = [encoded(state, frame, taken) for frame in frames]
    maps = [torch.stack([features[level] for features in per_frame]) for level in range(4)]
    return decoded(state, maps, head, tuple(frames.shape[2:]))


def encoded(state: State, frame: Tensor, taken: tuple[int, ...]) -> list[Tensor]:
    """The four features (D, h, w) of one frame (3, H, W)."""
    s = {key.removeprefix("pretrained."): value for key, value in state.items()}
    dim = s["cls_token"].shape[-1]
    patches = conv2d(frame[None], s["patch_embed.proj.weight"], s["patch_embed.proj.bias"], stride=14)[0]
    rows, columns = patches.shape[1:]
    x = torch.cat([s["cls_token"][0], patches.reshape(dim, -1).T])
    side = math.isqrt(s["pos_embed"].shape[1] - 1)
    table = s["pos_embed"][0]
    if not rows == columns == side:
        square = table[1:].reshape(1, side, side, dim).permute(0, 3, 1, 2)
        factors = ((rows + 0.1) / side, (columns + 0.1) / side)
        square = interpolate(square, scale_factor=factors, mode="bicubic", align_corners=False)
        assert square.shape[2:] == (rows, columns)
        table = torch.cat([table[:1], square[0].permute(1, 2, 0).reshape(-1, dim)])
    x = x + table
    found = []
    for number in range(max(taken) + 1):
        b = {
            k.removeprefix(f"blocks.{number}."): v for k, v in s.items() if k.startswith(f"blocks.{number}.")
        }
        z = layer_norm(x, (dim,), b["norm1.weight"], b["norm1.bias"], 1e-6)
        q, k, v = linear(z, b["attn.qkv.weight"], b["attn.qkv.bias"]).split(dim, 1)
        heads = [slice(at, at + 64) for at in range(0, dim, 64)]
        mixed = torch.cat([softmax(q[:, h] @ k[:, h].T / 8, 1) @ v[:, h] for h in heads], 1)
        x = x + b["ls1.gamma"] * linear(mixed, b["attn.proj.weight"], b["attn.proj.bias"])
        z = layer_norm(x, (dim,), b["norm2.weight"], b["norm2.bias"], 1e-6)
        z = gelu(linear(z, b["mlp.fc1.weight"], b["mlp.fc1.bias"]))
        x = x + b["ls2.gamma"] * linear(z, b["mlp.fc2.weight"], b["mlp.fc2.bias"])
        if number in taken:
            y = layer_norm(x, (dim,), s["norm.weight"], s["norm.bias"], 1e-6)[1:]
            found.append(y.T.reshape(dim, rows, columns))
    return found


def decoded(
    state: State,
    maps: list[Tensor],
    head: str,
    size: tuple[int, int],
    temporal: Callable[[State, int, Tensor], Tensor] | None = None,
) -> Tensor:
    """Four maps (T, D, h, w) -> (T, H, W)."""
    temporal = temporal or together
    s = {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}

    def conv(name: str, x: Tensor, **how: int) -> Tensor:
        return conv2d(x, s[f"{name}.weight"], s.get(f"{name}.bias"), **how)

    def resize(x: Tensor, to: tuple[int, ...]) -> Tensor:
        return interpolate(x, size=tuple(to), mode="bilinear", align_corners=True)

    def unit(name: str, x: Tensor) -> Tensor:
        y = conv(f"{name}.conv1", relu(x), padding=1)
        return x + conv(f"{name}.conv2", relu(y), padding=1)

    def fuse(number: int, x: Tensor, beside: Tensor | None, to: tuple[int, ...]) -> Tensor:
        name = f"scratch.refinenet{number}"
        if beside is not None:
            x = x + unit(f"{name}.resConfUnit1", beside)
        return conv(f"{name}.out_conv", resize(unit(f"{name}.resConfUnit2", x), to))

    p = [conv(f"projects.{i}", maps[i]) for i in range(4)]
    r = [
        conv_transpose2d(p[0], s["resize_layers.0.weight"], s["resize_layers.0.bias"], stride=4),
        conv_transpose2d(p[1], s["resize_layers.1.weight"], s["resize_layers.1.bias"], stride=2),
        p[2],
        conv("resize_layers.3", p[3], stride=2, padding=1),
    ]
    r[2], r[3] = temporal(s, 0, r[2]), temporal(s, 1, r[3])
    n = [conv(f"scratch.layer{i + 1}_rn", r[i], padding=1) for i in range(4)]
    path = temporal(s, 2, fuse(4, n[3], None, n[2].shape[2:]))
    path = temporal(s, 3, fuse(3, path, n[2], n[1].shape[2:]))
    path = fuse(2, path, n[1], n[0].shape[2:])
    path = fuse(1, path, n[0], tuple(2 * side for side in n[0].shape[2:]))
    out = resize(conv("scratch.output_conv1", path, padding=1), size)
    out = relu(conv("scratch.output_conv2.0", out, padding=1))
    return conv("scratch.output_conv2.2", out)[:, 0]


def together(s: State, number: int, x: Tensor) -> Tensor:
    """Temporal module of (T, C, h, w); a head without such modules leaves it alone."""
    prefix = f"motion_modules.{number}.temporal_transformer."
    m = {key.removeprefix(prefix): value for key, value in s.items() if key.startswith(prefix)}
    if not m:
        return x
    frames, planes, rows, columns = x.shape
    normed = torch.stack([group_norm(f[None], 32, m["norm.weight"], m["norm.bias"], 1e-6)[0] for f in x])
    out = x.clone()
    for row in range(rows):
        for column in range(columns):
            y = linear(normed[:, :, row, column], m["proj_in.weight"], m["proj_in.bias"])
            b = {k.removeprefix("transformer_blocks.0."): v for k, v in m.items()}
            for a in range(2):
                z = layer_norm(y, (planes,), b[f"norms.{a}.weight"], b[f"norms.{a}.bias"], 1e-5)
                at = f"attention_blocks.{a}."
                z = z + b[f"{at}pos_encoder.pe"][0, :frames]
                q, k, v = (z @ b[f"{at}to_{kind}.weight"].T for kind in "qkv")
                width = planes // 8
                heads = [slice(i * width, (i + 1) * width) for i in range(8)]
                mixed = torch.cat(
                    [softmax(q[:, h] @ k[:, h].T / math.sqrt(width), 1) @ v[:, h] for h in heads], 1
                )
                y = y + linear(mixed, b[f"{at}to_out.0.weight"], b[f"{at}to_out.0.bias"])
            z = layer_norm(y, (planes,), b["ff_norm.weight"], b["ff_norm.bias"], 1e-5)
            u, g = linear(z, b["ff.net.0.proj.weight"], b["ff.net.0.proj.bias"]).chunk(2, 1)
            y = y + linear(u * gelu(g), b["ff.net.2.weight"], b["ff.net.2.bias"])
            out[:, :, row, column] += linear(y, m["proj_out.weight"], m["proj_out.bias"])
    return out


def streamed(state: State, frames: Tensor, taken: tuple[int, ...]) -> Tensor:
    """Normalised frames (T, 3, H, W), one after the other with what is kept of those before -> (T, H, W).

    Kept is what every attention's normalisation gave, of all frames; keys and values are made of it anew.
    """
    kept: dict[tuple[int, int], list[Tensor]] = {}

    def next_(s: State, number: int, x: Tensor) -> Tensor:
        prefix = f"motion_modules.{number}.temporal_transformer."
        m = {key.removeprefix(prefix): value for key, value in s.items() if key.startswith(prefix)}
        b = {k.removeprefix("transformer_blocks.0."): v for k, v in m.items()}
        planes = x.shape[1]
        normed = group_norm(x, 32, m["norm.weight"], m["norm.bias"], 1e-6)
        y = linear(normed[0].flatten(1).T, m["proj_in.weight"], m["proj_in.bias"])  # (pixels, planes)
        for a in range(2):
            cache = kept.setdefault((number, a), [])
            z = layer_norm(y, (planes,), b[f"norms.{a}.weight"], b[f"norms.{a}.bias"], 1e-5)
            n, at = len(cache), f"attention_blocks.{a}."
            seen = [n - 41, *range(n - 29, n)]
            sequence = [cache[0], *(cache[max(0, i)] for i in seen), z] if n else [z]
            cache.append(z)
            table = b[f"{at}pos_encoder.pe"][0]
            placed = torch.stack([part + table[i] for i, part in enumerate(sequence)], 1)
            q, k, v = (placed @ b[f"{at}to_{kind}.weight"].T for kind in "qkv")
            width = planes // 8
            heads = [slice(i * width, (i + 1) * width) for i in range(8)]
            weights = [
                softmax((q[:, -1:, h] * k[:, :, h]).sum(2) / math.sqrt(width), 1)[..., None] for h in heads
            ]
            mixed = torch.cat([(w * v[:, :, h]).sum(1) for w, h in zip(weights, heads, strict=True)], 1)
            y = y + linear(mixed, b[f"{at}to_out.0.weight"], b[f"{at}to_out.0.bias"])
        z = layer_norm(y, (planes,), b["ff_norm.weight"], b["ff_norm.bias"], 1e-5)
        u, g = linear(z, b["ff.net.0.proj.weight"], b["ff.net.0.proj.bias"]).chunk(2, 1)
        y = y + linear(u * gelu(g), b["ff.net.2.weight"], b["ff.net.2.bias"])
        return x + linear(y, m["proj_out.weight"], m["proj_out.bias"]).T.reshape(x.shape)

    size = tuple(frames.shape[2:])
    found = []
    for frame in frames:
        maps = [features[None] for features in encoded(state, frame, taken)]
        found.append(decoded(state, maps, "head.", size, next_)[0])
    return torch.stack(found)
