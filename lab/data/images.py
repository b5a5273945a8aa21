"""Real images from a folder that the user points at, and the digits that need no download.

Recognised: MNIST-style IDX files (plain or .gz), CIFAR-10 and CIFAR-100 batches (Python or binary version), and a
folder with one sub-folder of images per class. Nothing in a file is ever executed.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.data.cifar import read_binary_batches, read_python_batches

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_LARGEST = 2**33  # bytes; a header that claims more is damaged
Split = Literal["train", "test"]


@dataclass(frozen=True)
class ImageSet:
    """Labelled images as bytes.

    Attributes:
        images: (N, C, H, W), uint8.
        labels: (N,), int64.
        classes: Name of each label.
        white: Pixel value that stands for 1.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    white: int = 255

    def pixels(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Images with values in [0, 1], (N, C, H, W)."""
        return self.images.to(dtype) / self.white

    def sample(self, count: int, generator: torch.Generator) -> ImageSet:
        """``count`` different images drawn at random.

        Raises:
            ValueError: There are fewer.
        """
        if not 1 <= count <= len(self.labels):
            raise ValueError(
                f"{count} images asked for: there are {len(self.labels)}; lower samples or choose another folder"
            )
        rows = torch.randperm(len(self.labels), generator=generator)[:count]
        return replace(self, images=self.images[rows], labels=self.labels[rows])


def load_images(folder: Path | str, split: Split = "train") -> ImageSet:
    """Images of the set in ``folder``, whichever of the known kinds it is.

    Raises:
        FileNotFoundError: No such folder, or nothing known in it.
        ValueError: A file is damaged, or images differ in size.
    """
    folder = Path(folder)
    if split not in ("train", "test"):
        raise ValueError(f"split {split!r} is unknown: 'train' or 'test'")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    for read in (_read_idx_pair, read_python_batches, read_binary_batches, _read_class_folders):
        found = read(folder, split)
        if found is not None:
            images, labels, classes = found
            return _checked(folder, images, labels, classes)
    raise FileNotFoundError(
        f"{folder} holds no {split} images: MNIST-style IDX files, CIFAR batches or a sub-folder of images per class"
    )


def load_digits() -> ImageSet:
    """The 1797 handwritten 8x8 digits bundled with scikit-learn, pixel values 0 to 16.

    Raises:
        ModuleNotFoundError: scikit-learn is missing; the message says how to install it.
    """
    try:
        from sklearn.datasets import load_digits as bundled
    except ModuleNotFoundError as missing:
        remedy = "pip install 'training-dynamics-lab[real-data]'"
        raise ModuleNotFoundError(f"the digits come with scikit-learn, which is not installed: {remedy}") from missing
    pixels, labels = (np.asarray(part) for part in bundled(return_X_y=True))
    images = torch.from_numpy(pixels.astype(np.uint8).reshape(-1, 1, 8, 8))
    return ImageSet(images, torch.from_numpy(labels.astype(np.int64)), tuple("0123456789"), white=16)


def _checked(folder: Path, images: NDArray, labels: NDArray, classes: list[str]) -> ImageSet:
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"{folder} holds {len(images)} images and {len(labels)} labels: as many of both are needed")
    names = tuple(classes) or tuple(str(label) for label in range(int(labels.max()) + 1))
    if labels.min() < 0 or labels.max() >= len(names):
        raise ValueError(f"{folder} has label {int(labels.max())}: its classes are 0 to {len(names) - 1}")
    return ImageSet(torch.from_numpy(np.array(images)), torch.from_numpy(labels.astype(np.int64)), names)


def _read_idx_pair(folder: Path, split: Split) -> tuple[NDArray, NDArray, list[str]] | None:
    """MNIST, Fashion-MNIST, KMNIST and EMNIST names: ...train-images-idx3-ubyte, t10k-... or ...test-..., maybe .gz."""
    parts = ("train",) if split == "train" else ("t10k", "test")
    images = sorted(path for part in parts for path in folder.glob(f"*{part}*images*idx3*ubyte*"))
    if not images:
        return None
    labels = images[0].with_name(images[0].name.replace("images", "labels").replace("idx3", "idx1"))
    if not labels.exists():
        raise FileNotFoundError(f"{images[0].name} has no labels beside it: {labels.name} is missing")
    return _read_idx(images[0], 3)[:, None], _read_idx(labels, 1), []


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """One IDX file of unsigned bytes: two zero bytes, type 8, dimension count, sizes (big-endian), data."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes((0, 0, 8, dimensions)) or len(header) < 4 + 4 * dimensions:
                raise ValueError(f"{path.name} is no IDX file of unsigned bytes in {dimensions} dimensions")
            sizes = [int(size) for size in np.frombuffer(header, ">u4", offset=4)]
            length = math.prod(sizes)
            if length > _LARGEST:
                raise ValueError(f"{path.name} claims {length} bytes: it is damaged")
            data = file.read(length + 1)
    except (OSError, EOFError) as damaged:
        raise ValueError(f"{path.name} cannot be read: {damaged}") from damaged
    if len(data) != length:
        raise ValueError(f"{path.name} should hold {length} bytes for {sizes}, and holds {len(data)}")
    return np.frombuffer(data, np.uint8).reshape(sizes)


def _read_class_folders(folder: Path, split: Split) -> tuple[NDArray, NDArray, list[str]] | None:
    """Sub-folders named by class, in folder/train and folder/test or, for training alone, in the folder itself."""
    if (folder / split).is_dir():
        folder = folder / split
    elif split == "test":
        return None
    paths = {
        sub.name: sorted(path for path in sub.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        for sub in sorted(folder.iterdir())
        if sub.is_dir()
    }
    classes = [name for name, files in paths.items() if files]
    if not classes:
        return None
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in paths[name]:
            images.append(_read_image(path))
            labels.append(label)
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        sizes = ", ".join(f"{h}x{w} with {c} channels" for c, h, w in sorted(shapes)[:3])
        raise ValueError(f"{folder} holds images of {len(shapes)} shapes ({sizes}, ...): bring them to one size first")
    return np.stack(images), np.array(labels), classes


def _read_image(path: Path) -> NDArray[np.uint8]:
    """One image, (C, H, W), 1 or 3 channels; transparency is dropped."""
    from matplotlib.image import imread  # takes a second to import, and few need it

    try:
        pixels = np.asarray(imread(path))
    except Exception as damaged:  # decoders raise whatever they like
        raise ValueError(f"{path} cannot be read as an image: {damaged}") from damaged
    if pixels.dtype != np.uint8:
        pixels = np.round(pixels * 255).astype(np.uint8)  # PNG comes as floats in [0, 1]
    if pixels.ndim == 2:
        return pixels[None]
    return np.moveaxis(pixels[..., : 3 if pixels.shape[-1] >= 3 else 1], -1, 0)
