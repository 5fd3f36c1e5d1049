"""The training step against an update worked out by hand, and the batches of an epoch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alexnet.optim.step import shuffled_batches, train_step


def linear_net(weight):
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 3, bias=False)).double()
    net[1].weight.data = torch.tensor(weight)
    return net


def test_one_step_is_the_update_by_hand():
    weight = np.array([[0.3, -0.2], [0.1, 0.5], [-0.4, 0.7]])
    x = np.array([[1.0, 2.0], [-0.5, 0.25]])
    labels = np.array([1, 0])
    logits = x @ weight.T
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = -np.log(p[[0, 1], labels]).mean()
    gradient = (p - np.eye(3)[labels]).T @ x / 2

    net = linear_net(weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.7)
    result = train_step(net, optimizer, torch.from_numpy(x)[:, :, None, None], torch.from_numpy(labels))
    assert result.loss.item() == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(net[1].weight.detach().numpy(), weight - 0.7 * gradient, rtol=1e-12)
    assert int(result.num_wrong) == int((logits.argmax(1) != labels).sum()) == 1
    assert result.num_images == 2


def test_gradients_of_earlier_steps_do_not_add_up():
    net = linear_net(np.zeros((3, 2)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    x, y = torch.ones(1, 2, 1, 1, dtype=torch.float64), torch.tensor([0])
    train_step(net, optimizer, x, y)
    first = net[1].weight.grad.clone()
    train_step(net, optimizer, x, y)
    assert torch.equal(net[1].weight.grad, first)


def test_an_epoch_has_every_image_once_in_a_new_order():
    images, labels = torch.arange(10)[:, None], torch.arange(10)
    generator = torch.Generator().manual_seed(0)
    epochs = [list(shuffled_batches(images, labels, batch_size=4, generator=generator)) for _ in range(2)]
    assert [len(y) for _, y in epochs[0]] == [4, 4, 2]
    orders = [torch.cat([y for _, y in epoch]).tolist() for epoch in epochs]
    assert sorted(orders[0]) == list(range(10)) and orders[0] != orders[1]
    assert all(torch.equal(x[:, 0], y) for x, y in epochs[0])


@pytest.mark.parametrize(
    ("batch_size", "num_labels", "message"), [(0, 3, "at least 1, got 0"), (2, 2, "3 images but 2")]
)
def test_bad_batches_are_refused(batch_size, num_labels, message):
    with pytest.raises(ValueError, match=message):
        next(
            shuffled_batches(
                torch.zeros(3), torch.zeros(num_labels), batch_size=batch_size, generator=torch.Generator()
            )
        )


def test_the_loss_of_logits_in_half_precision_is_computed_in_float32():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7))
    x, labels = torch.randn(5, 3, 2, 2), torch.arange(5)
    logits = net(x).detach().bfloat16()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    result = train_step(lambda images: net(images).bfloat16(), optimizer, x, labels)
    assert result.loss.dtype == torch.float32
    assert result.loss.item() == pytest.approx(F.cross_entropy(logits.double(), labels).item(), rel=1e-6)
