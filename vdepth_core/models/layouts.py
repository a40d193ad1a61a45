"""The files that training code saves of each published network, and that loading knows again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"]
Files = dict[str, Any]  # file name -> what is saved

_DECODERS = ("decoder.", "convs.", "deconv")  # of Monodepth2, DIFFNet and DDV


def depth_and_pose_files(
    family: str,
    depth: State,
    pose: State | None = None,
    features: State | None = None,
    facts: Mapping[str, Any] | None = None,
    epoch: int = 1,
    mask: State | None = None,
) -> Files:
    """What the training code of a family saves.

    Args:
        family: As `registry` knows it: ``monodepth2``, ``sfmlearner``, ``featdepth``, ``packnet``,
            ``diffnet``, ``ddv`` or ``leftright``.
        depth: The depth network's state.
        pose: A pose network's; it goes into the same file where the family has it there and it is its own.
        features: FeatDepth's feature network's: its extractor's, or its auto-encoder's.
        facts: Plain numbers and words that go beside the tensors.
        epoch: How often the training set was seen, for layouts that say so.
        mask: Of Monodepth2's predictive mask.
    """
    said, pose = dict(facts or {}), pose or {}
    if family == "sfmlearner":
        files: Files = {"dispnet_model_best.pth.tar": {"epoch": epoch, "state_dict": {**depth, **said}}}
        if _is(pose, "conv1.0.") and _lacks_norm(pose):
            return files | {"exp_pose_model_best.pth.tar": {"epoch": epoch, "state_dict": dict(pose)}}
        return files | _pose_files(pose)
    if family == "leftright":
        return {"leftright.pth": {**depth, **said}}
    if family == "packnet":
        own = _is(pose, "conv1.0.") and not _lacks_norm(pose)
        state = {f"model.pose_net.{key}": value for key, value in pose.items()} if own else {}
        state |= {f"model.depth_net.{key}": value for key, value in depth.items()}
        content = {"config": {}, "epoch": epoch, "state_dict": {**state, **said}, "optimizer": {}}
        return {"PackNet01.ckpt": content} | ({} if own else _pose_files(pose))
    if family == "featdepth":
        own = _is(pose, "PoseEncoder.") and bool(features)
        whole = {**depth, **(pose if own else {}), **(features or {} if own else {}), **said}
        content = {"meta": {"epoch": epoch}, "state_dict": whole, "optimizer": {}}
        return {"fm_depth.pth": content} | ({} if own else _pose_files(pose))
    decoder = {key: value for key, value in depth.items() if key.startswith(_DECODERS)}
    encoder = {key: value for key, value in depth.items() if key not in decoder}
    files = {"encoder.pth": encoder | said, "depth.pth": decoder} | _pose_files(pose)
    if mask:
        files["predictive_mask.pth"] = {f"decoder.{key}": value for key, value in mask.items()}
    return files


def _pose_files(pose: State) -> Files:
    """As Monodepth2 saves a pose network: encoder and decoder apart, or all of a plain one."""
    encoder = {key: value for key, value in pose.items() if key.startswith("encoder.")}
    rest = {key: value for key, value in pose.items() if key not in encoder}
    return ({"pose_encoder.pth": encoder} if encoder else {}) | ({"pose.pth": rest} if rest else {})


def _is(state: State, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in state)


def _lacks_norm(pose: State) -> bool:
    return not _is(pose, "conv1.1.")
