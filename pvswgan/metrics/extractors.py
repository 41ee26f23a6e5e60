"""What the metrics see clips with: networks that turn a clip into features, each with the protocol that its numbers
belong to.

    extractor = make("clipnet")
    features, logits = extractor.describe(clips)        # clips (N, 3, T, H, W) in [-1, 1]
    register(extractor)                                  # the same, for torch_fidelity.calculate_metrics
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pvswgan.metrics import clipnet
from pvswgan.metrics.vision import mend_torchvision

NAMES = ("clipnet", "inception", "c3d", "i3d")
FRAMES_OF_A_CLIP = 4  # that Inception looks at

Described = tuple[Tensor, Tensor | None]


class ExtractorError(ValueError):
    """An extractor that cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Extractor:
    """describe: (N, 3, T, H, W) in [-1, 1] -> features (M, D) and logits (M, K) or None, float32 on the CPU.

    protocol: what a number depends on besides the clips: name, hash of the weights, how clips are brought to it.
    about: what else a reader may want to know, such as its accuracy. scores_all: its Inception Score is of all samples
    that were asked for, also where there are fewer real clips to compare with. mirrors: real clips are turned as the
    training turns them; else they are seen as they lie in the store.
    """

    name: str
    describe: Callable[[Tensor], Described]
    protocol: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)
    scores_all: bool = False
    mirrors: bool = True


def make(name: str, weights: str | Path | None = None, *, trust: bool = False,
         device: str | torch.device = "cpu") -> Extractor:
    """An extractor, one of NAMES; weights: its file, where it is not ours. Raises ExtractorError, CheckpointError.

    trust: i3d's file is a TorchScript program, which is run. Only for a file from someone you trust.
    """
    if name not in NAMES:
        raise ExtractorError(f"extractor is {name!r}; allowed: {', '.join(NAMES)}")
    path = Path(weights).expanduser() if weights is not None else None
    if path is not None and not path.is_file():
        raise ExtractorError(f"there is no file {path} with weights of {name}")
    if name == "clipnet":
        return _clipnet(path or clipnet.FILE, device)
    if name == "inception":
        return _inception(path, device)
    if path is None:
        what = "TorchScript file of StyleGAN-V's FVD" if name == "i3d" else "weights of C3D, fine-tuned on UCF-101"
        raise ExtractorError(f"{name} needs a file: --weights FILE ({what})")
    if name == "i3d" and not trust:
        raise ExtractorError(f"{path} is a program that is run to measure. If you trust where it came from, add "
                             "--run-code")
    return _i3d(path, device) if name == "i3d" else _c3d(path, device)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, the first 16 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _clipnet(path: Path, device: str | torch.device) -> Extractor:
    net, info = clipnet.load(path)
    net.to(device)

    @torch.no_grad()
    def describe(clips: Tensor) -> Described:
        features, logits = net(clips.to(device))
        return features.float().cpu(), logits.float().cpu()

    return Extractor("clipnet", describe, {
        "name": "clipnet", "weights": file_hash(path), "clips": "brought to 16 frames of 32x32 pixels",
        "classes": len(clipnet.KINDS)}, {"held_out": info.get("held_out"), "trained": info.get("date")})


def inception_url() -> str:
    """Where torch-fidelity has the weights of Inception-v3 from."""
    mend_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return str(URL_INCEPTION_V3)


def inception_file() -> Path:
    """Where that download is kept, whether it is there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / inception_url().rpartition("/")[2]


def c3d_problem(path: Path) -> str:
    """Why a file cannot be C3D's weights, by the names in it alone; "" if it seems they are."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                names = list(file.files)
        else:
            from safetensors import safe_open

            with safe_open(path, framework="pt") as file:
                names = list(file.keys())
    except Exception as error:  # three libraries, each with errors of its own
        return f"it cannot be read as .npz or .safetensors ({error!s:.100})"
    layers = [f"conv{name}" for name, *_ in C3D.WIDTHS] + ["fc6", "fc7", "fc8"]
    found = {_renamed(name) for name in names}
    missing = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias") if f"{layer}.{kind}" not in found]
    return f"it does not hold C3D's weights: {missing[0]} is missing" if missing else ""


def _inception(path: Path | None, device: str | torch.device) -> Extractor:
    mend_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    url = inception_url()
    try:
        state = (torch.load(path, map_location="cpu", weights_only=True) if path
                 else torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True))
        with tempfile.NamedTemporaryFile(suffix=".pth") as file:  # torch-fidelity unpickles: it reads what we wrote
            torch.save(state, file)
            file.flush()
            net = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"],
                                              feature_extractor_weights_path=file.name).to(device)
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, UnpicklingError) as error:
        if path:                                             # another network's, or no weights at all
            raise ExtractorError(f"{path} does not hold Inception-v3's weights as {url} does "
                                 f"({type(error).__name__}: {error!s:.200})") from error
        raise ExtractorError(f"Inception-v3's weights cannot be had ({error!s:.200}). Without a network, get "
                             f"{url} elsewhere and name the file: --weights FILE") from error

    @torch.no_grad()
    def describe(clips: Tensor) -> Described:
        at = torch.linspace(0, clips.shape[2] - 1, FRAMES_OF_A_CLIP).round().long()
        frames = _bytes(clips[:, :, at]).transpose(1, 2).flatten(0, 1)
        features, logits = net(frames.to(device))
        return features.float().cpu(), logits.float().cpu()

    return Extractor("inception", describe, {
        "name": "inception-v3-compat", "weights": file_hash(path or inception_file()),
        "clips": f"{FRAMES_OF_A_CLIP} frames of each, as pictures of 299x299 pixels", "classes": 1008})


def _i3d(path: Path, device: str | torch.device) -> Extractor:
    try:
        net = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise ExtractorError(f"{path} is no TorchScript file: {error!s:.200}") from error

    @torch.no_grad()
    def describe(clips: Tensor) -> Described:
        try:
            found = net(_bytes(_sixteen(clips)).float().to(device), rescale=True, resize=True, return_features=True)
        except (RuntimeError, TypeError) as error:
            raise ExtractorError(f"{path} does not answer as StyleGAN-V's I3D does: {error!s:.300}") from error
        if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(clips):
            what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ExtractorError(f"{path} does not answer as StyleGAN-V's I3D does: to {len(clips)} clips with {what}; "
                                 "wanted: features, a row a clip")
        return found.float().cpu(), None

    return Extractor("i3d", describe, {"name": "i3d", "weights": file_hash(path),
                                       "clips": "the first 16 frames (of fewer each for longer), 224x224 pixels"},
                     mirrors=False)


class C3D(nn.Module):
    """C3D (Tran et al. 2015): (N, 3, 16, 112, 112), bytes less their mean, blue first, -> (fc7 (N, 4096), fc8 (N,
    classes)). Pooling covers the edge, as in Caffe and Chainer: 7 pixels become 4."""

    WIDTHS = (("1a", 3, 64), ("2a", 64, 128), ("3a", 128, 256), ("3b", 256, 256), ("4a", 256, 512), ("4b", 512, 512),
              ("5a", 512, 512), ("5b", 512, 512))

    def __init__(self, classes: int = 101) -> None:
        super().__init__()
        for name, inputs, outputs in self.WIDTHS:
            setattr(self, f"conv{name}", nn.Conv3d(inputs, outputs, 3, padding=1))
        self.fc6, self.fc7, self.fc8 = nn.Linear(8192, 4096), nn.Linear(4096, 4096), nn.Linear(4096, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for name, *_ in self.WIDTHS:
            x = torch.relu(getattr(self, f"conv{name}")(x))
            if name in ("1a", "2a", "3b", "4b", "5b"):
                x = nn.functional.max_pool3d(x, (1, 2, 2) if name == "1a" else 2, ceil_mode=True)
        x = torch.relu(self.fc6(x.flatten(1)))
        features = torch.relu(self.fc7(x))
        return features, self.fc8(features)


def _c3d(path: Path, device: str | torch.device) -> Extractor:
    state, mean = _c3d_weights(path)
    try:
        net = C3D(len(state["fc8.bias"]))
        net.load_state_dict(state)
    except (KeyError, RuntimeError, TypeError) as error:
        raise ExtractorError(f"{path} does not fit C3D (conv1a to conv5b, fc6 to fc8): {error!s:.300}") from error
    net.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def describe(clips: Tensor) -> Described:
        features, logits = net(c3d_input(clips, mean).to(device))
        return features.float().cpu(), logits.float().cpu()

    how = "of the file" if mean.numel() > 3 else f"{[round(v, 1) for v in mean.flatten().tolist()]}"
    return Extractor("c3d", describe, {
        "name": "c3d", "weights": file_hash(path), "classes": net.fc8.out_features,
        "clips": f"16 frames of 128x128 pixels (bicubic), the middle 112x112, blue first, less the mean {how} (TGAN's "
                 "evaluator)", "splits": 1, "scored": "samples, noise, all real clips"}, scores_all=True)


def c3d_input(clips: Tensor, mean: Tensor) -> Tensor:
    """Clips (N, 3, T, H, W) in [-1, 1] as TGAN's evaluator brings them to C3D (evaluation/calc_inception.py of its
    code): 128x128 pixels whatever they were, bicubic, blue first, less the mean's middle 128 columns, and of that the
    middle 112x112. mean: broadcasts to (3, 16, 128, 171), blue first."""
    x = _bytes(_sixteen(clips)).float().flip(1).transpose(1, 2)
    x = nn.functional.interpolate(x.flatten(0, 1), (128, 128), mode="bicubic").view(*x.shape[:3], 128, 128)
    return (x.transpose(1, 2) - mean.expand(3, 16, 128, 171)[..., 21:149])[..., 8:120, 8:120]


def _c3d_weights(path: Path) -> tuple[dict[str, Tensor], Tensor]:
    """(weights, mean) of .safetensors or .npz (Chainer's names too). mean: broadcasts to (3, 16, 128, 171)."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                read = {name: torch.from_numpy(np.ascontiguousarray(file[name])).float() for name in file.files}
        else:
            from safetensors.torch import load_file

            read = {name: tensor.float() for name, tensor in load_file(path).items()}
    except Exception as error:  # three libraries, each with errors of its own
        raise ExtractorError(f"{path} cannot be read as .npz or .safetensors: {error!s:.200}") from error
    mean = read.pop("mean", torch.tensor([90.3, 97.7, 101.4])).flatten(0, -1)
    shape = (3, 1, 1, 1) if mean.numel() == 3 else (3, 16, 128, 171)
    if mean.numel() not in (3, 3 * 16 * 128 * 171):
        raise ExtractorError(f"{path}: mean has {mean.numel()} values; allowed: 3, or 3x16x128x171")
    return {_renamed(name): tensor for name, tensor in read.items()}, mean.view(shape)


def _renamed(name: str) -> str:
    """Chainer's "conv1a/W" as "conv1a.weight"."""
    layer, _, kind = name.replace("/", ".").rpartition(".")
    return f"{layer}.{({'W': 'weight', 'b': 'bias'}).get(kind, kind)}" if layer else kind


def _bytes(clips: Tensor) -> Tensor:
    """[-1, 1] -> uint8."""
    return ((clips.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _sixteen(clips: Tensor) -> Tensor:
    """16 frames: the first 16, or each shown for longer."""
    frames = clips.shape[2]
    at = torch.arange(16) if frames >= 16 else (torch.arange(16) * frames) // 16
    return clips[:, :, at]


def register(extractor: Extractor) -> str:
    """Make an extractor known to torch-fidelity; its name there. Inputs: uint8 clips (N, 3, T, H, W); layers:
    "features" and "logits"."""
    mend_torchvision()
    from torch_fidelity import FeatureExtractorBase, register_feature_extractor

    class Registered(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return "features", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, clips: Tensor) -> tuple[Tensor | None, ...]:
            found = dict(zip(("features", "logits"), extractor.describe(clips.float() / 127.5 - 1), strict=True))
            return tuple(found[name] for name in self.features_list)

    name = f"pvswgan-{extractor.name}"
    register_feature_extractor(name, Registered)
    return name
