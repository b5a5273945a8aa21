"""Image folders of every known kind are read from tiny files made here; damaged and hostile ones are refused."""

import gzip
import os
import pickle
import struct
import sys

import matplotlib.image
import numpy as np
import pytest
import torch

from lab.data.images import load_digits, load_images

RANDOM = np.random.default_rng(0)
CIFAR = RANDOM.integers(0, 256, (6, 3072), dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("test", "t10k")])
def test_idx_files_are_read_plain_or_packed(tmp_path, packed, split, part):
    images, labels = RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8), np.array([0, 3, 1, 1, 2], np.uint8)
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        path = tmp_path / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = load_images(tmp_path, split)
    assert found.images.shape == (5, 1, 7, 4) and found.images.dtype == torch.uint8
    np.testing.assert_array_equal(found.images[:, 0], images)
    assert found.labels.tolist() == labels.tolist() and found.classes == ("0", "1", "2", "3")
    assert found.pixels().max().item() == pytest.approx(images.max() / 255)


def python2_batch() -> bytes:
    """What Python 2 wrote for {'data': uint8 array (2, 3072), 'labels': [7, 1]}, opcode by opcode."""
    pixels = CIFAR[:2].tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x02M\x00\x0ctcnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(pixels))
        + pixels
        + b"tb"
    )
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x07K\x01eu."


def test_a_cifar_batch_as_python_2_pickled_it_is_read(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(python2_batch())
    found = load_images(tmp_path)
    np.testing.assert_array_equal(found.images, CIFAR[:2].reshape(2, 3, 32, 32))
    assert found.labels.tolist() == [7, 1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_cifar_batches_of_every_pickle_protocol_are_joined_in_order(tmp_path, protocol):
    for at in range(3):
        batch = {b"data": CIFAR[2 * at : 2 * at + 2], b"labels": [at, 9]}
        (tmp_path / f"data_batch_{at + 1}").write_bytes(pickle.dumps(batch, protocol))
    (tmp_path / "test_batch").write_bytes(
        pickle.dumps({"data": np.asfortranarray(CIFAR[:3]), "labels": [1, 2, 3]}, protocol)
    )
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"n%d" % n for n in range(10)]}, protocol))
    found = load_images(tmp_path)
    np.testing.assert_array_equal(found.images, CIFAR.reshape(6, 3, 32, 32))
    assert found.labels.tolist() == [0, 9, 1, 9, 2, 9] and found.classes[9] == "n9"
    np.testing.assert_array_equal(load_images(tmp_path, "test").images, CIFAR[:3].reshape(3, 3, 32, 32))


def test_cifar_100_takes_the_fine_labels(tmp_path):
    (tmp_path / "train").write_bytes(
        pickle.dumps({"data": CIFAR, "coarse_labels": [0] * 6, "fine_labels": list(range(6))})
    )
    assert load_images(tmp_path).labels.tolist() == list(range(6))


@pytest.mark.parametrize(("name", "before"), [("data_batch_1.bin", 1), ("train.bin", 2)])
def test_binary_cifar_batches_are_read(tmp_path, name, before):
    head = np.array([[19] * (before - 1) + [label] for label in range(6)], np.uint8)
    (tmp_path / name).write_bytes(np.concatenate((head, CIFAR), axis=1).tobytes())
    found = load_images(tmp_path)
    np.testing.assert_array_equal(found.images, CIFAR.reshape(6, 3, 32, 32))
    assert found.labels.tolist() == list(range(6))


def test_a_folder_per_class_is_read_with_the_folders_names(tmp_path):
    pixels = {name: RANDOM.integers(0, 256, (5, 6, 3), dtype=np.uint8) for name in ("cat", "dog")}
    for name, image in pixels.items():
        (tmp_path / name).mkdir()
        matplotlib.image.imsave(tmp_path / name / "1.png", image)
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    found = load_images(tmp_path)
    assert found.classes == ("cat", "dog") and found.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(found.images[1], np.moveaxis(pixels["dog"], -1, 0))
    with pytest.raises(FileNotFoundError, match="no test images"):
        load_images(tmp_path, "test")


def test_train_and_test_folders_are_kept_apart(tmp_path):
    for split, count in (("train", 2), ("test", 1)):
        (tmp_path / split / "a").mkdir(parents=True)
        for at in range(count):
            matplotlib.image.imsave(tmp_path / split / "a" / f"{at}.png", np.zeros((4, 4, 3), np.uint8))
    assert [len(load_images(tmp_path, split).labels) for split in ("train", "test")] == [2, 1]


def test_a_sample_is_drawn_without_repeats_from_the_generator(tmp_path):
    (tmp_path / "train").write_bytes(pickle.dumps({"data": CIFAR, "fine_labels": list(range(6))}))
    found = load_images(tmp_path)
    drawn, again = (found.sample(4, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(drawn.images, again.images) and len(set(drawn.labels.tolist())) == 4
    np.testing.assert_array_equal(drawn.images, found.images[drawn.labels])
    with pytest.raises(ValueError, match="there are 6"):
        found.sample(7, torch.Generator())


class Hostile:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("call", [os.mkdir, eval, getattr, np.load], ids=lambda call: call.__name__)
def test_a_pickle_that_calls_anything_is_refused_and_calls_nothing(tmp_path, protocol, call):
    hit = tmp_path / "hit"
    arguments = {"eval": (f"__import__('os').mkdir({str(hit)!r})",)}.get(call.__name__, (str(hit),))
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({"data": Hostile(call, *arguments)}, protocol))
    with pytest.raises(ValueError, match="it asks for"):
        load_images(tmp_path)
    assert not hit.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"data": CIFAR.astype(np.float32), "labels": [0] * 6},
        {"data": np.array([object()]), "labels": [0]},
        {"data": CIFAR[:, :100], "labels": [0] * 6},
        {"data": CIFAR, "labels": ["a"] * 6},
        {"labels": [0]},
        ["data"],
    ],
    ids=["floats", "objects", "short", "text", "none", "list"],
)
def test_pickles_of_anything_but_a_batch_are_refused(tmp_path, content):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="data_batch_1 is no CIFAR batch"):
        load_images(tmp_path)


def test_a_batch_cut_or_changed_anywhere_ends_in_one_clear_error(tmp_path):
    whole, path = python2_batch(), tmp_path / "data_batch_1"
    for cut in range(0, 260, 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="data_batch_1"):
            load_images(tmp_path)
    for at in range(230):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0x15,)) + whole[at + 1 :])
        try:
            load_images(tmp_path)
        except ValueError as refused:
            assert "data_batch_1" in str(refused) or "labels" in str(refused)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file"),
        (bytes((0, 0, 13, 3)) + bytes(12), "no IDX file"),
        (idx(np.zeros((2, 3, 3), np.uint8))[:-1], "should hold 18 bytes"),
        (idx(np.zeros((2, 3, 3), np.uint8)) + b"x", "should hold 18 bytes"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "damaged"),
        (idx(np.zeros((3, 3, 3), np.uint8)), "3 images and 2 labels"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path, content, message):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path)


def test_a_broken_archive_and_missing_labels_are_refused(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros((2, 3, 3), np.uint8)))[:-12])
    with pytest.raises(FileNotFoundError, match=r"train-labels-idx1-ubyte\.gz is missing"):
        load_images(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read"):
        load_images(tmp_path)


def test_other_folders_are_refused_with_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="sub-folder of images per class"):
        load_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        load_images(tmp_path / "missing")
    with pytest.raises(ValueError, match="'all'"):
        load_images(tmp_path, "all")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3074))
    with pytest.raises(ValueError, match="3074 bytes"):
        load_images(tmp_path, "test")


def test_images_of_different_sizes_and_broken_images_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    for at in (4, 5):
        matplotlib.image.imsave(tmp_path / "a" / f"{at}.png", np.zeros((at, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="4x4 with 3 channels, 5x4 with 3 channels"):
        load_images(tmp_path)
    (tmp_path / "a" / "6.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        load_images(tmp_path)


def test_the_bundled_digits_need_no_download():
    pytest.importorskip("sklearn")
    digits = load_digits()
    assert digits.images.shape == (1797, 1, 8, 8) and digits.pixels().max() == 1 and digits.pixels().min() == 0
    assert torch.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_without_scikit_learn_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'training-dynamics-lab\[real-data\]'"):
        load_digits()
