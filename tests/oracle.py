"""The arrays computed with the authors' code (../shared/reference/oracle), and how to load their weights into ours."""

from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "shared" / "reference" / "oracle"
needs_oracle = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the authors' numbers are not at {FOLDER}")


def arrays(name: str) -> dict[str, torch.Tensor]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Greatest difference over greatest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-30)).item()


def relative_l2(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm().clamp_min(1e-30)).item()


def conv_weight(raw: torch.Tensor, transposed: bool = False) -> torch.Tensor:
    """[kD,kH,kW,Cin,Cout] -> ours (Cout, Cin, kD, kH, kW). A transposed filter is [kD,kH,kW,Cout,Cin] and runs
    backwards."""
    if transposed:
        return raw.permute(3, 4, 0, 1, 2).flip([2, 3, 4]).contiguous()
    return raw.permute(4, 3, 0, 1, 2).contiguous()


def parameter_names(generator=None, discriminator=None,
                    fused: bool = True) -> dict[str, tuple[torch.nn.Parameter, str]]:
    """Each variable of the authors' network -> (our parameter, how its layout differs: conv, conv_up, dense, as_is)."""
    out: dict[str, tuple[torch.nn.Parameter, str]] = {}

    def add(theirs, layer, kind):
        out[f"{theirs}/weight"] = (layer.weight, kind)
        out[f"{theirs}/bias"] = (layer.bias, "as_is")

    if generator is not None:
        top = len(generator.sizes) - 1
        out["4x4/Dense/weight"] = (generator.dense, "dense")
        out["4x4/Dense/bias"] = (generator.dense_bias, "as_is")
        add("4x4/Conv", generator.first, "conv")
        for i, layer in enumerate(generator.to_rgb):
            add(f"ToRGB_lod{top - i}", layer, "conv")
        for block, (_, r) in zip(generator.blocks, generator.sizes[1:], strict=True):
            add(f"{r}x{r}/Conv0_up" if fused else f"{r}x{r}/Conv0", block[0], "conv_up" if fused else "conv")
            add(f"{r}x{r}/Conv1", block[1], "conv")
    if discriminator is not None:
        top = len(discriminator.sizes) - 1
        add("4x4/Conv", discriminator.last, "conv")
        add("4x4/Dense0", discriminator.dense, "dense")
        for i, layer in enumerate(discriminator.from_rgb):
            add(f"FromRGB_lod{top - i}", layer, "conv")
        for block, (_, r) in zip(discriminator.blocks, discriminator.sizes[1:], strict=True):
            add(f"{r}x{r}/Conv0", block[0], "conv")
            add(f"{r}x{r}/Conv1_down" if fused else f"{r}x{r}/Conv1", block[1], "conv")
    return out


def to_ours(raw: torch.Tensor, kind: str) -> torch.Tensor:
    if kind in ("conv", "conv_up"):
        return conv_weight(raw, transposed=kind == "conv_up")
    return raw.T.contiguous() if kind == "dense" else raw


def load(names: dict[str, tuple[torch.nn.Parameter, str]], values: dict[str, torch.Tensor], prefix: str) -> None:
    for name, (parameter, kind) in names.items():
        with torch.no_grad():
            parameter.copy_(to_ours(values[prefix + name], kind))
