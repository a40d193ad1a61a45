"""Reads the parts of a latent diffusion model strictly and safely, from a folder or the Hugging Face cache.

A repository of RollingDepth or Marigold holds ``unet``, ``vae``, ``scheduler``, ``text_encoder`` and
``tokenizer``; the last two are needed once, for the empty prompt. The networks are diffusers' own; their
weights come through our loader, so that no key is made up or left out and no code is run.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights.building import build_empty, cannot_build
from ...weights.catalogue import CatalogueEntry, catalogue
from ...weights.configs import init_arguments, read_json
from ...weights.loading import check_fit, load_into, load_state_dict, on_cpu
from ...weights.prepare import empty_prompt_embedding
from ...weights.reading import AGAIN

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SCALE = 8  # pixels a latent pixel, each way
ONE_STEP: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "trailing",
}
"""Published schedule that ends in pure noise, as one step from there needs (Lin et al., WACV 2024)."""
LATENT_CHANNELS = 4

_PARTS = ("unet", "vae", "scheduler")  # beside text_encoder and tokenizer, or what was made from them
_WEIGHTS = tuple(f"diffusion_pytorch_model{end}" for end in (".safetensors", ".fp16.safetensors", ".bin"))
_FILES = (  # of a repository: no code, no pickles, one precision
    "model_index.json",
    "scheduler/scheduler_config.json",
    *(f"{part}/{name}" for part in ("unet", "vae") for name in ("config.json", _WEIGHTS[0])),
    *(f"text_encoder/{name}" for name in ("config.json", "model.safetensors")),
    *(f"tokenizer/*.{end}" for end in ("json", "txt")),
)
# The attention inside the image coder, in checkpoints that still have the names of Stable Diffusion 2.
_OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD_NAME = re.compile(rf"(mid_block\.attentions\.\d+\.)({'|'.join(_OLD_NAMES)})\.")
_PREDICTIONS = ("epsilon", "sample", "v_prediction")  # what a scheduler checks only when it runs
_HINT = "Give the folder of RollingDepth or Marigold, or of a model trained from them."
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Parts:
    """The networks of a folder, on the CPU, and what goes with them.

    Attributes:
        unet: A UNet of diffusers', (N, 8, h, w) -> (N, 4, h, w).
        vae: An autoencoder of diffusers', between pictures and latents.
        scheduler: The scheduler's configuration.
        prompt: (1, tokens, d) embedding of what the UNet is conditioned on, in the networks' precision: the
            empty prompt, or a zero picture.
    """

    unet: Any
    vae: Any
    scheduler: Mapping[str, Any]
    prompt: Tensor

    def count(self) -> int:
        """Number of parameters that run."""
        return sum(value.numel() for part in (self.unet, self.vae) for value in part.parameters())


def find_folder(folder_or_repo: str | Path) -> tuple[Path, CatalogueEntry | None]:
    """A folder as it is; ``owner/name`` of a Hugging Face repository as its files in huggingface_hub's cache.

    Args:
        folder_or_repo: As the user wrote it.

    Returns:
        The folder, and what the catalogue says of the repository, whose pinned revision is then taken.

    Raises:
        WeightsError: there is no such folder, and the repository cannot be had.
    """
    folder = Path(folder_or_repo).expanduser()
    if folder.is_dir():
        return folder, None
    if not isinstance(folder_or_repo, str) or not _REPO.fullmatch(folder_or_repo):
        raise WeightsError(f"The folder {folder} does not exist.", "Check the path given with --model.")
    from huggingface_hub import snapshot_download

    entry = next((entry for entry in catalogue().values() if entry.repo == folder_or_repo), None)
    revision = entry.revision if entry else None
    try:
        found = snapshot_download(folder_or_repo, revision=revision, allow_patterns=list(_FILES))
    except Exception as error:  # a server, a network and a name can be wrong in many ways
        raise WeightsError(
            f"{folder_or_repo} is no folder here, and the Hugging Face hub does not give it: {_line(error)}.",
            "Check the name and the network, or give the folder of a download.",
        ) from error
    return Path(found), entry


def read_parts(folder: Path, dtype: torch.dtype) -> Parts:
    """Reads a folder's networks for ``dtype``; every key of their weights must match.

    In half precision the last layer of the image decoder stays in fp32, since depth is read off it.

    Args:
        folder: Of a latent diffusion model.
        dtype: What the networks are to run in.

    Raises:
        WeightsError: a part is missing, damaged, or does not fit the others.
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel

    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing:
        raise WeightsError(
            f"The folder {folder} lacks the subfolders {', '.join(missing)}.",
            f"A latent diffusion model consists of {', '.join(_PARTS)}, text_encoder and tokenizer.",
        )
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    unet = read_network(UNet2DConditionModel, folder / "unet", dtype)
    vae = read_network(AutoencoderKL, folder / "vae", dtype, full=("decoder.conv_out",))
    prompt = empty_prompt_embedding(folder, dtype)
    parts = Parts(unet, vae, scheduler, prompt)
    check_parts(folder, parts, _HINT)
    return parts


def make_scheduler(config: Mapping[str, Any], *kinds: Any) -> Any:
    """The scheduler that a configuration describes, one of the diffusers classes ``kinds``.

    Args:
        config: What ``scheduler_config.json`` holds.
        *kinds: Those that are known; the first is taken where nothing is said.

    Raises:
        WeightsError: it describes another one, or is damaged.
    """
    known = {kind.__name__: kind for kind in kinds}
    name = config.get("_class_name", kinds[0].__name__)
    if not isinstance(name, str) or name not in known:
        raise WeightsError(
            f"scheduler_config.json asks for the scheduler {str(name)[:80]}, which is not known here.",
            f"Known are {', '.join(known)}.",
        )
    arguments = init_arguments(config, known[name], Path("scheduler_config.json"))
    try:
        with quiet_diffusers():
            scheduler = known[name](**arguments)
            if scheduler.config.prediction_type not in _PREDICTIONS:
                raise ValueError(f"its prediction_type is {scheduler.config.prediction_type}")
            copy.copy(scheduler).set_timesteps(1)
            return scheduler
    except Exception as error:  # a configuration can be wrong in many ways
        raise WeightsError(f"scheduler_config.json is damaged: {_line(error)}.", AGAIN) from error


@contextmanager
def quiet_diffusers() -> Generator[None]:
    """Keeps diffusers' remarks on configurations from the terminal; leaves its setting as found."""
    from diffusers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def read_network(
    kind: Any, folder: Path, dtype: torch.dtype, full: Sequence[str] = (), names: Sequence[str] = _WEIGHTS
) -> Any:
    """A network of diffusers' with its weights, on the CPU; every key must match.

    Args:
        kind: Its class.
        folder: With ``config.json`` and the weights.
        dtype: What it is to run in.
        full: Dotted names of the parts that run in fp32 where that is a half precision.
        names: Of the weights' file, the best first.

    Raises:
        WeightsError: they are missing, damaged, or those of another network.
    """
    import torch

    from ..wrappers import keep_full_precision

    config = read_json(folder / "config.json")
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    if file is None:
        raise WeightsError(f"The folder {folder} holds no weights.", f"It should hold {names[0]}.")
    arguments = init_arguments(config, kind, folder / "config.json")
    state = {_OLD_NAME.sub(_new_name, key): value for key, value in load_state_dict(file).items()}
    try:
        with quiet_diffusers():
            network = build_empty(lambda: kind(**arguments), state).to(dtype)
    except Exception as error:  # a configuration can be wrong in many ways
        raise cannot_build(folder, error) from error
    check_fit(network, state, file)
    kept = full if dtype.itemsize < torch.float32.itemsize else ()
    for part in kept:
        network.get_submodule(part).float()
    load_into(on_cpu(network), state, file)
    for part in kept:
        keep_full_precision(network, part)
    return network


def _new_name(match: re.Match[str]) -> str:
    return f"{match[1]}{_OLD_NAMES[match[2]]}."


def check_parts(folder: Path, parts: Parts, hint: str) -> None:
    """Refuses parts that are no depth model together.

    Args:
        folder: They are from, for the message.
        parts: Loaded.
        hint: What to give instead.

    Raises:
        WeightsError: they are not.
    """
    unet, vae = parts.unet.config, parts.vae.config
    for what, found, wanted in (
        ("pixels a latent pixel", 2 ** (len(vae.block_out_channels) - 1), SCALE),
        ("latent channels", vae.latent_channels, LATENT_CHANNELS),
        ("channels into its UNet", unet.in_channels, 2 * LATENT_CHANNELS),
        ("channels out of its UNet", unet.out_channels, LATENT_CHANNELS),
        ("values a token of its prompt", parts.prompt.shape[-1], unet.cross_attention_dim),
    ):
        if found != wanted:
            raise WeightsError(
                f"The folder {folder} holds no depth model known here: it has {found} {what}, not {wanted}.",
                hint,
            )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
