"""Errors and losses counted by hand, over batches, views, nets and processes."""

import functools
import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import nn

from alexnet.data.statistics import compute_statistics
from alexnet.data.workers import processes
from alexnet.evaluation.errors import (
    Counts,
    average_nets,
    average_views,
    count,
    error_rates,
    evaluate,
    log_average_views,
    num_errors,
    sum_over_ranks,
)
from alexnet.evaluation.features import export_features
from alexnet.transforms.ten_crop import ten_crops
from references import transforms as references

LOGITS = torch.tensor(
    [
        [9.0, 5.0, 1.0, 0.0],  # label 0: right at once
        [9.0, 5.0, 1.0, 0.0],  # label 1: second guess
        [9.0, 5.0, 1.0, 0.0],  # label 2: third guess
        [0.0, 1.0, 2.0, 3.0],  # label 0: last
        [0.0, 1.0, 2.0, 3.0],  # label 3: right at once
    ]
)
LABELS = torch.tensor([0, 1, 2, 0, 3])
MODEL = nn.Identity().eval()


def loss_by_hand():
    losses = []
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        losses.append(math.log(sum(math.exp(value) for value in row)) - row[label])
    return sum(losses)


def batches(length, logits=LOGITS, labels=LABELS):
    return zip(logits.split(length), labels.split(length), strict=True)


def alone(images):
    return [images]


@pytest.mark.parametrize(("k", "wrong"), [(1, 3), (2, 2), (3, 1), (4, 0)])
def test_errors_are_counted_as_by_hand(k, wrong):
    assert num_errors(LOGITS, LABELS, k=k) == wrong


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_every_image_counts_once_however_the_batches_are_cut(length):
    counts = evaluate(MODEL, batches(length), views=alone, ks=(1, 2, 3))
    assert (counts.num_images, counts.wrong) == (5, {1: 3, 2: 2, 3: 1})
    assert counts.loss_sum == pytest.approx(loss_by_hand(), rel=1e-12)
    assert counts.mean_loss() == pytest.approx(loss_by_hand() / 5, rel=1e-12)
    assert counts.error_rates() == {"top1": 3 / 5, "top2": 2 / 5, "top3": 1 / 5}
    assert error_rates(MODEL, batches(length), ks=(1, 2, 3)) == counts.error_rates()


def test_counts_add_up():
    first, second = (evaluate(MODEL, [batch], views=alone, ks=(1, 2)) for batch in batches(3))
    both = first + second
    assert (both.num_images, both.wrong) == (5, {1: 3, 2: 2})
    assert both.loss_sum == pytest.approx(loss_by_hand(), rel=1e-12)
    with pytest.raises(ValueError, match=r"top-\[1, 2\] and of top-\[1\] do not add up"):
        first + Counts(num_images=1, wrong={1: 0}, loss_sum=0.0)


def test_with_no_more_classes_than_guesses_nothing_is_wrong():
    counts = evaluate(MODEL, batches(2), views=alone)
    assert counts.wrong == {1: 3, 5: 0}
    assert evaluate(MODEL, batches(2), views=alone, ks=(4,)).wrong == {4: 0}


def test_what_is_not_a_number_is_wrong_at_any_k():
    broken = LOGITS.clone()
    broken[[0, 4], 2] = math.nan
    assert num_errors(torch.full_like(LOGITS, math.nan), LABELS, k=2) == 5
    counts = evaluate(MODEL, batches(5, broken), views=alone, ks=(1, 4))
    assert counts.wrong == {1: 5, 4: 2} and math.isnan(counts.loss_sum)


def test_equal_logits_count_once():
    equal = torch.zeros(4, 4)
    assert num_errors(equal, torch.arange(4), k=1) == 3
    assert num_errors(equal, torch.arange(4), k=3) == 1


def test_nearly_equal_logits_keep_their_order():
    logits = torch.tensor([[0.0, 1e-9, 0.0], [1e-9, 0.0, 0.0]])
    assert error_rates(MODEL, [(logits, torch.tensor([1, 0]))], ks=(1,)) == {"top1": 0.0}


def test_a_loss_too_large_for_a_probability_is_finite():
    logits = torch.tensor([[0.0, 4000.0]])
    assert evaluate(MODEL, [(logits, torch.tensor([0]))], views=alone).loss_sum == 4000.0


VIEWS = np.random.default_rng(2).normal(scale=3, size=(10, 6, 7))


def test_views_are_averaged_after_the_softmax():
    views = torch.from_numpy(VIEWS)
    expected = references.average_of_softmaxes(VIEWS)
    np.testing.assert_allclose(average_views(MODEL, views).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(log_average_views(MODEL, iter(views)).exp().numpy(), expected, rtol=1e-12)
    average_of_logits = torch.from_numpy(VIEWS.mean(0)).softmax(1)
    assert (average_of_logits.argmax(1) != torch.from_numpy(expected).argmax(1)).any()


def test_half_precision_is_averaged_in_full():
    views = torch.from_numpy(VIEWS).bfloat16()
    expected = references.average_of_softmaxes(views.double().numpy())
    np.testing.assert_allclose(average_views(MODEL, views).numpy(), expected, rtol=1e-12)


def test_the_average_over_views_is_what_is_counted():
    # One view is sure of the wrong class; two lean to the right one.
    views = torch.tensor([[0.0, 9.0], [4.0, 0.0], [4.0, 0.0]])[:, None]
    right = average_views(MODEL, views)[0, 0]
    assert 0.6 < right < 0.7
    counts = evaluate(MODEL, [(views, torch.tensor([0]))], views=lambda x: x, ks=(1,))
    assert counts.wrong == {1: 0}
    assert counts.loss_sum == pytest.approx(-math.log(right), rel=1e-12)
    assert evaluate(MODEL, [(views, torch.tensor([1]))], views=lambda x: x, ks=(1,)).wrong == {1: 1}


def test_the_ten_crops_of_stored_images():
    images = torch.randint(
        0, 256, (5, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    statistics = compute_statistics([images])
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 4)).eval()
    views = functools.partial(ten_crops, size=6, statistics=statistics)
    with torch.no_grad():
        logits = torch.stack([model(view) for view in views(images)]).double().numpy()
    expected = count(torch.from_numpy(references.average_of_softmaxes(logits)).log(), LABELS, ks=(1, 2))
    got = evaluate(model, [(images[:3], LABELS[:3]), (images[3:], LABELS[3:])], views=views, ks=(1, 2))
    assert (got.num_images, got.wrong) == (5, expected.wrong)
    # float32: a batch of three and one of two may be summed in other orders.
    assert got.loss_sum == pytest.approx(expected.loss_sum, rel=1e-6)


def test_nets_are_averaged_with_equal_weights():
    nets = [torch.tensor([[0.8, 0.2], [0.5, 0.5]]), torch.tensor([[0.1, 0.9], [0.4, 0.6]])]
    torch.testing.assert_close(average_nets(nets), torch.tensor([[0.45, 0.55], [0.45, 0.55]]))
    assert count(average_nets(nets).log(), torch.tensor([0, 1]), ks=(1,)).wrong == {1: 1}


class TwoLayers(nn.Module):
    """Three features, and twice their sums as logits."""

    def features(self, images):
        return images.flatten(1)[:, :3].relu()

    def head(self, features):
        return 2 * features.cumsum(1)


def test_a_model_reads_images_in_the_order_that_is_fast():
    read = []
    model = nn.Flatten().eval()
    model.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].stride()))
    error_rates(model, [(torch.zeros(2, 3, 2, 2), torch.tensor([1, 2]))])
    assert read == [(12, 1, 6, 3)]


def test_features_are_exported_with_their_logits_and_labels():
    model = TwoLayers().eval()
    logits, features, labels = export_features(model, batches(2))
    assert torch.equal(labels, LABELS)
    assert torch.equal(features, LOGITS[:, :3])
    assert logits[3].tolist() == [0, 2, 6]
    assert not (logits.requires_grad or features.requires_grad)


def test_one_process_is_a_sum_of_one():
    counts = Counts(num_images=2, wrong={1: 1}, loss_sum=0.5)
    assert sum_over_ranks(counts) is counts


def evaluate_a_share(rank, folder):
    """Evaluate every second batch; the second rank has none of the odd one out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    share = list(batches(2))[1:] if rank == 0 else []
    for mine in (share, list(batches(2))[rank::2]):
        counts = sum_over_ranks(evaluate(MODEL, mine, views=alone, ks=(1, 2)))
        with open(f"{folder}/{rank}", "a") as file:
            print(counts.num_images, counts.wrong[1], counts.wrong[2], counts.loss_sum, file=file)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_what_one_counts(tmp_path):
    method = processes().get_start_method()
    multiprocessing.start_processes(evaluate_a_share, (str(tmp_path),), nprocs=2, start_method=method)
    first, second = ((tmp_path / rank).read_text().splitlines() for rank in "01")
    assert first == second
    assert first[0].split()[:3] == ["3", "2", "2"]
    *counts, loss = first[1].split()
    assert counts == ["5", "3", "2"]
    assert float(loss) == pytest.approx(loss_by_hand(), rel=1e-12)


def test_training_mode_is_refused():
    model = nn.Identity().train()
    for attempt in (
        lambda: error_rates(model, [(LOGITS, LABELS)]),
        lambda: evaluate(model, [], views=alone),
        lambda: average_views(model, [LOGITS]),
        lambda: export_features(model, [(LOGITS, LABELS)]),
    ):
        with pytest.raises(ValueError, match=r"call model.eval\(\) first"):
            attempt()


def test_no_images_are_no_error_until_a_rate_is_asked_for():
    nothing = evaluate(MODEL, [], views=alone)
    assert nothing == Counts(num_images=0, wrong={1: 0, 5: 0}, loss_sum=0.0)
    for attempt in (
        nothing.error_rates,
        nothing.mean_loss,
        lambda: error_rates(MODEL, []),
        lambda: export_features(MODEL, []),
    ):
        with pytest.raises(ValueError, match="no images"):
            attempt()


@pytest.mark.parametrize("k", [0, 5])
def test_impossible_k_is_refused(k):
    with pytest.raises(ValueError, match=f"between 1 and the 4 classes, got {k}"):
        num_errors(LOGITS, LABELS, k=k)


MISTAKES = {
    r"ks must be at least 1, got \(1, 0\)": lambda: evaluate(MODEL, batches(2), views=alone, ks=(1, 0)),
    "there are no crops of the images": lambda: average_views(MODEL, []),
    r"same images and classes, got shapes \[\(2, 3\), \(2, 4\)\]": lambda: average_nets(
        [torch.ones(2, 4), torch.ones(2, 3)]
    ),
    r"got shapes \[\]": lambda: average_nets([]),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        MISTAKES[sentence]()
