import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pvswgan import video
from pvswgan.video import VideoError


def _smooth(n=1, t=8, size=32):
    """Clips that a video codec can keep: a bright square that moves over a grey ramp."""
    clips = np.zeros((n, t, size, size, 3), np.uint8) + np.linspace(40, 120, size, dtype=np.uint8)[:, None]
    for i in range(t):
        clips[:, i, 8:20, 2 * i:2 * i + 12] = (220, 60, 60)
    return clips


def test_bytes_to_floats_and_back():
    clips = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    x = video.to_float(clips)
    assert x.shape == (1, 3, 1, 16, 16) and x.min() == -1 and x.max() == 1
    assert np.array_equal(video.to_uint8(x), clips)
    assert video.to_uint8(torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1, 1).expand(2, 3, 1, 1, 1)).ravel().tolist() == [
        0, 0, 0, 255, 255, 255]


@given(st.integers(1, 5), st.integers(1, 6), st.sampled_from([4, 8]))
def test_a_sheet_splits_into_its_clips(n, t, size):
    clips = np.random.default_rng(0).integers(0, 256, (n, t, size, size, 3), dtype=np.uint8)
    sheet = video.sprite_sheet(clips)
    assert sheet.shape == (n * size, t * size, 3)
    assert np.array_equal(sheet[(n - 1) * size:, (t - 1) * size:], clips[n - 1, t - 1])
    assert np.array_equal(video.split_sheet(sheet, t), clips)
    wall = video.grid(clips)
    assert np.array_equal(wall[:, :size, :size], clips[0])


def test_png_is_lossless_and_jpeg_nearly():
    from PIL import Image

    image = video.sprite_sheet(_smooth(2))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(video.png_bytes(image)))), image)
    jpeg = np.asarray(Image.open(io.BytesIO(video.encode_jpeg(image)))).astype(int)
    assert jpeg.shape == image.shape and abs(jpeg - image).mean() < 3


@pytest.mark.parametrize("suffix, tolerance", [(".mp4", 4), (".gif", 8), (".webp", 6)])
def test_films_hold_the_frames(tmp_path, suffix, tolerance):
    clips = _smooth()
    path = video.write(clips, tmp_path / f"clip{suffix}", fps=8, scale=2)
    if suffix == ".webp":
        from PIL import Image, ImageSequence

        frames = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(Image.open(path))])
    else:
        frames, fps = video.read(path)
        assert fps == pytest.approx(8, rel=0.05)
    assert frames.shape == (8, 64, 64, 3)
    assert abs(frames[:, ::2, ::2].astype(int) - clips[0]).mean() < tolerance


def test_a_strip_is_a_sprite_sheet(tmp_path):
    from PIL import Image

    clips = _smooth(2)
    path = video.write(video.to_float(clips), tmp_path / "strip.png")
    assert np.array_equal(np.asarray(Image.open(path)), video.sprite_sheet(clips))


@pytest.mark.parametrize("call, words", [
    (lambda p: video.write(_smooth(), p / "clip.mov"), "cannot write 'clip.mov'; allowed: .mp4"),
    (lambda p: video.write(_smooth(), p / "clip.mp4", scale=0), "scale is 0"),
    (lambda p: video.write(_smooth(), p / "clip.gif", fps=0), "fps 0"),
    (lambda p: video.write(_smooth(), p / "clip.mp4", fps=float("nan")), "fps nan; allowed"),
    (lambda p: video.write(_smooth(), p / "clip.webp", fps=float("inf")), "fps inf; allowed"),
    (lambda p: video.read(p / "none.mp4"), "none.mp4 cannot be read"),
    (lambda p: video.split_sheet(np.zeros((4, 9, 3), np.uint8), 2), "9x4 pixels does not hold"),
])
def test_what_cannot_be_done_is_named(tmp_path, call, words):
    with pytest.raises(VideoError, match=words):
        call(tmp_path)
