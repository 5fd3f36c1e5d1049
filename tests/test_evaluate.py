"""Error rates counted by hand."""

import pytest
import torch
from torch import nn

from alexnet.evaluate import error_rates, num_errors

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


@pytest.mark.parametrize(("k", "wrong"), [(1, 3), (2, 2), (3, 1), (4, 0)])
def test_errors_are_counted_as_by_hand(k, wrong):
    assert num_errors(LOGITS, LABELS, k=k) == wrong


def test_every_image_counts_once_however_the_batches_are_cut():
    model = nn.Identity().eval()
    whole = error_rates(model, [(LOGITS, LABELS)], ks=(1, 2))
    ragged = error_rates(model, zip(LOGITS.split(2), LABELS.split(2), strict=True), ks=(1, 2))
    assert whole == ragged == {"top1": 3 / 5, "top2": 2 / 5}


def test_training_mode_is_refused():
    with pytest.raises(ValueError, match=r"call model.eval\(\) first"):
        error_rates(nn.Identity().train(), [(LOGITS, LABELS)])


def test_no_images_is_an_error():
    with pytest.raises(ValueError, match="no images"):
        error_rates(nn.Identity().eval(), [])


@pytest.mark.parametrize("k", [0, 5])
def test_impossible_k_is_refused(k):
    with pytest.raises(ValueError, match=f"between 1 and the 4 classes, got {k}"):
        num_errors(LOGITS, LABELS, k=k)
