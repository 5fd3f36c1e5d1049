"""Mean image and colour PCA against numpy on all pixels at once; the file beside a set."""

import errno
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import torch

from alexnet.data import first_pass, statistics
from alexnet.data.first_pass import obtain_statistics
from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import MemorySplit
from alexnet.data.statistics import compute_statistics, load, principal_components, save
from references import transforms as references

RNG = np.random.default_rng(11)
# Loud: correlated channels of unequal spread, and a mean image that varies strongly from pixel to pixel.
MIX = np.array([[30.0, 9.0, 2.0], [26.0, -4.0, 5.0], [21.0, -12.0, -6.0]])
SHADE = np.linspace(-60, 60, 35).reshape(5, 7)
PIXELS = np.einsum("cd,ndhw->nchw", MIX, RNG.normal(size=(23, 3, 5, 7))) + SHADE
IMAGES = (PIXELS + np.array([140, 120, 100])[:, None, None]).clip(0, 255).astype(np.uint8)


def batches(*lengths, images=IMAGES):
    return torch.from_numpy(images).split(list(lengths))


def pca_as_covariance(computed):
    vectors = computed.pca_vectors.numpy()
    return vectors @ np.diag(computed.pca_stds.numpy() ** 2) @ vectors.T


def as_set(images=IMAGES, path=None, fingerprint="0123456789abcdef"):
    labels = torch.zeros(len(images), dtype=torch.int64)
    split = MemorySplit(torch.from_numpy(images), labels)
    return PreparedSet(
        name="loud",
        source="noise",
        classes=("one",),
        names=("one",),
        fingerprint=fingerprint,
        splits={"train": split},
        path=path,
    )


def test_the_mean_image_is_numpys():
    computed = compute_statistics(batches(10, 10, 3))
    assert computed.num_images == 23 and computed.mean_image.dtype == torch.float32
    np.testing.assert_array_equal(computed.mean_image.numpy(), IMAGES.mean(0).astype(np.float32))


def test_the_pca_is_that_of_the_covariance_of_all_raw_pixels():
    computed = compute_statistics(batches(10, 13))
    pixels = IMAGES.transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(pca_as_covariance(computed), np.cov(pixels, bias=True), rtol=1e-12)
    np.testing.assert_allclose(
        pca_as_covariance(computed), references.covariance_by_the_sum(IMAGES), rtol=1e-12
    )
    without_mean_image = references.covariance_by_the_sum(IMAGES - IMAGES.mean(0))
    assert abs(pca_as_covariance(computed) / without_mean_image - 1).max() > 0.2


def test_components_are_unit_vectors_largest_first_with_a_red_part_that_is_not_negative():
    computed = compute_statistics(batches(23))
    stds, vectors = computed.pca_stds.numpy(), computed.pca_vectors.numpy()
    assert stds[0] > 2 * stds[1] > 0 and stds[1] > stds[2]
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-14)
    covariance = references.covariance_by_the_sum(IMAGES)
    for std, vector in zip(stds, vectors.T, strict=True):
        np.testing.assert_allclose(covariance @ vector, std**2 * vector, rtol=1e-10)
        assert vector[0] > 0
    for turn in RNG.normal(size=(20, 3, 3)):
        vectors = principal_components(turn @ turn.T)[1]
        assert (vectors[0] >= 0).all()


def test_neither_order_nor_cut_changes_a_bit():
    one = compute_statistics(batches(23), fingerprint="a")
    other = compute_statistics(batches(0, 1, 15, 0, 7, images=IMAGES[::-1].copy()), fingerprint="b")
    for name in ("mean_image", "pca_stds", "pca_vectors"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert (one.fingerprint, other.fingerprint) == ("a", "b")


def test_a_spread_far_below_the_values_is_kept():
    images = np.full((40, 3, 50, 50), 255, np.uint8)
    images[0, 0, 0, 0] = 254
    share = Fraction(1, 40 * 50 * 50)
    computed = compute_statistics(batches(13, 27, images=images))
    np.testing.assert_allclose(computed.pca_stds[0] ** 2, float(share * (1 - share)), rtol=1e-12)


@pytest.mark.parametrize("pixels_at_once", [1, 2 * 35, 2**16])  # an image has 35 pixels
def test_products_of_colours_are_whole_numbers_of_any_size(monkeypatch, pixels_at_once):
    monkeypatch.setattr(statistics, "PIXELS_AT_ONCE", pixels_at_once)
    products = statistics.colour_products(torch.from_numpy(IMAGES))
    assert products.dtype == torch.int64
    pixels = IMAGES.transpose(1, 0, 2, 3).reshape(3, -1).astype(int)
    np.testing.assert_array_equal(products, pixels @ pixels.T)


def test_the_sums_of_all_of_imagenet_do_not_overflow():
    num_pixels, mean = 1_281_167 * 256**2, 120
    sums = [mean * num_pixels, (mean - 20) * num_pixels, num_pixels]
    products = np.array([[a * b // num_pixels for b in sums] for a in sums], dtype=object)
    products += np.array([[5000, 70, 3], [70, 4000, 2], [3, 2, 1]], dtype=object) * num_pixels
    got = statistics.covariance(sums, products, num_pixels)
    np.testing.assert_allclose(got, [[5000, 70, 3], [70, 4000, 2], [3, 2, 1]], rtol=1e-15)


def test_images_of_one_colour_have_no_spread():
    computed = compute_statistics(batches(4, images=np.full((4, 3, 2, 2), 9, np.uint8)))
    assert computed.pca_stds.tolist() == [0, 0, 0] and (computed.mean_image == 9).all()


def test_batches_are_let_go():
    images = torch.zeros(8, 3, 64, 64, dtype=torch.uint8).numpy()
    tracemalloc.start()
    compute_statistics(torch.from_numpy(images.copy()) for _ in range(50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * images.nbytes


def test_what_is_saved_is_read_again(tmp_path):
    path = tmp_path / "statistics.npz"
    computed = compute_statistics(batches(23), fingerprint="abc")
    save(computed, path)
    again = load(path, fingerprint="abc", num_images=23)
    for name in ("mean_image", "pca_stds", "pca_vectors"):
        assert torch.equal(getattr(computed, name), getattr(again, name))
    assert (again.num_images, again.fingerprint) == (23, "abc")
    assert [file.name for file in tmp_path.iterdir()] == ["statistics.npz"]


@pytest.mark.parametrize(("fingerprint", "num_images"), [("abd", 23), ("abc", 22)])
def test_those_of_another_set_are_refused(tmp_path, fingerprint, num_images):
    path = tmp_path / "statistics.npz"
    save(compute_statistics(batches(23), fingerprint="abc"), path)
    with pytest.raises(ValueError, match="computed from 23 images of .* abc, not .*; delete it") as caught:
        load(path, fingerprint=fingerprint, num_images=num_images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 100, -30])
def test_a_damaged_file_is_named(tmp_path, length):
    path = tmp_path / "statistics.npz"
    save(compute_statistics(batches(23), fingerprint="abc"), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"statistics.npz is damaged .*; delete it"):
        load(path, fingerprint="abc", num_images=23)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*statistics.npz"):
        load(tmp_path / "statistics.npz", fingerprint="abc", num_images=23)


def test_a_set_keeps_its_statistics_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(first_pass, "IMAGES_PER_READ", 5)
    first = obtain_statistics(as_set(path=tmp_path), progress=False)
    assert first.fingerprint == "0123456789abcdef"
    np.testing.assert_array_equal(first.mean_image.numpy(), IMAGES.mean(0).astype(np.float32))
    monkeypatch.setattr(MemorySplit, "read", None)  # now they must come from the file
    assert torch.equal(
        obtain_statistics(as_set(path=tmp_path), progress=False).pca_vectors, first.pca_vectors
    )
    with pytest.raises(ValueError, match="delete it"):
        obtain_statistics(as_set(path=tmp_path, fingerprint="fedcba9876543210"), progress=False)


def test_a_set_in_memory_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert obtain_statistics(as_set(), progress=False).num_images == 23
    assert not list(tmp_path.iterdir())


def test_progress_is_shown_when_asked_for(capsys):
    obtain_statistics(as_set())
    assert "mean image" in capsys.readouterr().err
    obtain_statistics(as_set(), progress=False)
    assert capsys.readouterr().err == ""


class Several:
    """One of several processes that share a pass, each a thread of this one."""

    def __init__(self, rank, size, barrier, given):
        self.rank, self.size, self.barrier, self.given = rank, size, barrier, given

    def exchanged(self, value):
        self.given[self.rank] = value
        self.barrier.wait(timeout=300)
        values = list(self.given)
        self.barrier.wait(timeout=300)
        return values

    def broadcast(self, function):
        return self.exchanged(function() if self.rank == 0 else None)[0]

    def in_all(self, function):
        return function()

    def all_reduce(self, tensor):
        return sum(self.exchanged(tensor))


@pytest.mark.parametrize("size", [2, 3])
def test_processes_share_the_pass(tmp_path, monkeypatch, size):
    monkeypatch.setattr(first_pass, "IMAGES_PER_READ", 2)
    monkeypatch.setattr(first_pass, "READS_PER_PART", 2)
    parts, read = [[] for _ in range(size)], MemorySplit.read
    own = threading.local()
    monkeypatch.setattr(MemorySplit, "read", lambda *given: own.read.extend(given[1]) or read(*given))
    barrier, given = threading.Barrier(size), [None] * size

    def work(rank):
        own.read = parts[rank]
        ranks = Several(rank, size, barrier, given)
        return obtain_statistics(as_set(path=tmp_path), progress=False, ranks=ranks)

    with ThreadPoolExecutor(size) as pool:
        found = list(pool.map(work, range(size)))
    expected = compute_statistics(batches(23))
    for each in found:
        assert torch.equal(each.mean_image, expected.mean_image) and each.num_images == 23
        assert torch.equal(each.pca_vectors, expected.pca_vectors)
    assert sorted(sum(parts, [])) == list(range(23)) and all(parts)
    assert load(tmp_path / "statistics.npz", fingerprint="0123456789abcdef", num_images=23).num_images == 23


class Interrupted(Exception):
    pass


def test_a_pass_that_is_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(first_pass, "IMAGES_PER_READ", 2)
    monkeypatch.setattr(first_pass, "READS_PER_PART", 2)
    monkeypatch.setattr(first_pass, "SECONDS_BETWEEN_PARTS", 0.0)
    read, seen = MemorySplit.read, []

    def stopping(split, indices):
        seen.extend(indices)
        if stop_at in indices:
            raise Interrupted
        return read(split, indices)

    monkeypatch.setattr(MemorySplit, "read", stopping)
    stop_at = 14
    with pytest.raises(Interrupted):
        obtain_statistics(as_set(path=tmp_path), progress=False)
    assert [file.name for file in tmp_path.iterdir()] == ["statistics-so-far.npz"]
    stop_at, seen[:] = None, []
    other = obtain_statistics(as_set(fingerprint="fedcba9876543210", path=tmp_path), progress=False)
    assert seen == list(range(23))  # what there is of other images is of no use
    (tmp_path / "statistics.npz").unlink()
    seen.clear()
    with pytest.raises(Interrupted):
        stop_at = 14
        obtain_statistics(as_set(path=tmp_path), progress=False)
    stop_at, seen[:] = None, []
    found = obtain_statistics(as_set(path=tmp_path), progress=False)
    assert seen == list(range(12, 23)) and torch.equal(found.mean_image, other.mean_image)
    assert torch.equal(found.pca_stds, other.pca_stds)
    assert [file.name for file in tmp_path.iterdir()] == ["statistics.npz"]


@pytest.mark.parametrize("content", [b"", b"PK no archive"])
def test_a_damaged_beginning_of_a_pass_is_not_gone_on_with(tmp_path, content):
    (tmp_path / "statistics-so-far.npz").write_bytes(content)
    assert obtain_statistics(as_set(path=tmp_path), progress=False).num_images == 23


def full(folder):
    """Let a folder take nothing, as that of a set on a disk that is full or cannot be written to."""
    write = statistics.write_arrays

    def writing(path, arrays):
        if path.parent == folder:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        write(path, arrays)

    return writing


def test_a_set_that_cannot_be_written_to_has_its_statistics_elsewhere(tmp_path, monkeypatch):
    home, spare, said = tmp_path / "set", tmp_path / "run", []
    home.mkdir(), spare.mkdir()
    for module in (statistics, first_pass):
        monkeypatch.setattr(module, "write_arrays", full(home))
    monkeypatch.setattr(first_pass, "SECONDS_BETWEEN_PARTS", 0.0)
    options = {"progress": False, "tell": said.append}
    first = obtain_statistics(as_set(path=home), spare=spare, **options)
    assert [file.name for file in spare.iterdir()] == ["statistics.npz"] and not said
    monkeypatch.setattr(first_pass, "passed_through", None)
    again = obtain_statistics(as_set(path=home), spare=spare, **options)
    assert torch.equal(first.mean_image, again.mean_image) and not list(home.iterdir())


def test_statistics_that_nothing_can_be_kept_of_are_there_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "write_arrays", full(tmp_path))
    said = []
    found = obtain_statistics(
        as_set(path=tmp_path), progress=False, spare=tmp_path / "none", tell=said.append
    )
    assert found.num_images == 23
    assert said == [
        f"the mean image cannot be kept (Read-only file system: {tmp_path / 'statistics.npz'}), "
        "so the next training computes it again"
    ]


def test_only_the_mean_image_moves():
    moved = compute_statistics(batches(23), fingerprint="abc").to("meta")
    assert moved.mean_image.device.type == "meta" and moved.pca_stds.device.type == "cpu"
    assert (moved.fingerprint, moved.num_images) == ("abc", 23)


MISTAKES = {
    "no images to compute statistics of": [],
    r"uint8 \(N, 3, H, W\), got torch.float32 \(2, 3, 4, 4\)": [torch.zeros(2, 3, 4, 4)],
    r"got torch.uint8 \(2, 1, 4, 4\)": [torch.zeros(2, 1, 4, 4, dtype=torch.uint8)],
    r"got torch.uint8 \(3, 4, 4\)": [torch.zeros(3, 4, 4, dtype=torch.uint8)],
    r"differ in size: \(3, 4, 4\) and then \(3, 4, 5\)": [
        torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        torch.zeros(2, 3, 4, 5, dtype=torch.uint8),
    ],
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        compute_statistics(MISTAKES[sentence])
