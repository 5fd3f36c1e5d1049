"""The update rule as the paper prints it (section 5), and parameter groups with their own learning rates."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from alexnet.config import LearningConfig

GROUPS = ("conv1.weight", "conv1.bias", "weight", "bias")  # of conv1; of all other layers
FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")  # on which torch has a fused kernel of the update
FUSED_DTYPES = (torch.float32, torch.float64)  # torch 2.6's kernel is wrong in half precision on the CPU


class PaperSGD(torch.optim.Optimizer):
    """Gradient descent with momentum, the learning rate inside the velocity (paper 5).

    ::

        v <- momentum * v - weight_decay * lr * w - lr * gradient
        w <- w + v

    ``torch.optim.SGD`` multiplies the whole velocity by the learning rate instead. While the learning rate is
    constant the two agree; when it drops, torch's steps shrink at once, whereas here the old velocity runs
    out by the factor momentum a step. A group whose learning rate is 0 is frozen: its weights and its
    velocity stay as they are, as in the 2012 code. Parameters without a gradient are passed over.

    The state of a parameter is its "velocity", of its shape, dtype and device, 0 before the first step.
    Without momentum the rule is plain gradient descent, and the velocity the last step.
    """

    # As in torch, less the wrapper that imports torch's compiler first: two seconds in every process.
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)

    def __init__(
        self, params: Any, *, lr: float = 0.01, momentum: float = 0.9, weight_decay: float = 0.0005
    ) -> None:
        """Take the parameters, or groups of them with their own learning rates, momenta and weight decays.

        Args:
            params: parameters, or dictionaries as `param_groups` makes them.
            lr: the learning rate, not negative.
            momentum: at least 0 and below 1.
            weight_decay: not negative.
        Raises:
            ValueError: one of the three is out of range.
        """
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with their own learning rates.

        Raises:
            ValueError: a number is out of range, or a parameter is in another group already.
        """
        values = {**self.defaults, **param_group}
        if not values["lr"] >= 0:
            raise ValueError(f"lr must not be negative, got {values['lr']}")
        if not 0 <= values["momentum"] < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {values['momentum']}")
        if not values["weight_decay"] >= 0:
            raise ValueError(f"weight_decay must not be negative, got {values['weight_decay']}")
        inspect.unwrap(torch.optim.Optimizer.add_param_group)(self, param_group)  # as for zero_grad

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one update.

        Args:
            closure: computes the loss and the gradients, for callers that want torch's other way.
        Returns:
            what the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["lr"] != 0:
                moving = [p for p in group["params"] if p.grad is not None]
                rates = {key: group[key] for key in ("lr", "momentum", "weight_decay")}
                update([(p, self.velocity(p), p.grad) for p in moving], **rates)
        return loss

    def velocity(self, parameter: Tensor) -> Tensor:
        """Return the velocity of a parameter, which is made of zeros when it is first asked for."""
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["velocity"]


def printed_update(
    weight: Tensor, velocity: Tensor, gradient: Tensor, *, lr: float, momentum: float, weight_decay: float
) -> None:
    """Change a velocity and a weight in place by the rule, line by line as the paper prints it (paper 5).

    ::

        v := 0.9 * v - 0.0005 * epsilon * w - epsilon * gradient
        w := w + v

    Args:
        weight: w, any shape.
        velocity: v, of the weight's shape.
        gradient: the derivative of the loss by the weight, averaged over the batch.
        lr: the learning rate, epsilon.
        momentum: 0.9 in the paper.
        weight_decay: 0.0005 in the paper.
    """
    velocity.mul_(momentum).sub_(weight, alpha=weight_decay * lr).sub_(gradient, alpha=lr)
    weight.add_(velocity)


def fused_update(
    triples: list[tuple[Tensor, Tensor, Tensor]], *, lr: float, momentum: float, weight_decay: float
) -> None:
    """Do `printed_update` to every (weight, velocity, gradient) in one pass over memory, by torch's kernel.

    The kernel computes b <- momentum * b + (1 - dampening) * d and w <- w - rate * b, where its option
    ``maximize`` makes d = decay * w - gradient. With a negative decay, 1 - dampening as the learning rate and
    a rate of -1, its b is the velocity. The learning rate is thereby rounded to a multiple of 2**-53. Without
    momentum the kernel has no b, and leaves the learning rate out.
    """
    weights, velocities, gradients = map(list, zip(*triples, strict=True))
    sgd(
        weights,
        gradients,
        velocities,
        fused=True,
        foreach=False,
        maximize=True,
        lr=-1.0,
        momentum=momentum,
        dampening=1 - lr,
        weight_decay=-weight_decay,
        nesterov=False,
    )


def fits_kernel(*tensors: Tensor) -> bool:
    """Whether torch's fused kernel reads these right: it goes through memory, whatever the strides."""
    first = tensors[0]
    return (
        first.device.type in FUSED_DEVICES
        and first.dtype in FUSED_DTYPES
        and all(t.layout == torch.strided and t.stride() == first.stride() for t in tensors)
        and all(t.dtype == first.dtype for t in tensors)
    )


def update(
    triples: list[tuple[Tensor, Tensor, Tensor]], *, lr: float, momentum: float, weight_decay: float
) -> None:
    """Change velocities and weights in place by the printed rule, fused where that is possible.

    On the parameters of the paper's network the fused form takes two fifths of the time.

    Args:
        triples: (weight, velocity, gradient) of each parameter.
        lr: the learning rate.
        momentum: at least 0 and below 1.
        weight_decay: not negative.
    """
    fitting = []
    for triple in triples:
        if momentum > 0 and fits_kernel(*triple):
            fitting.append(triple)
        else:
            printed_update(*triple, lr=lr, momentum=momentum, weight_decay=weight_decay)
    if fitting:
        fused_update(fitting, lr=lr, momentum=momentum, weight_decay=weight_decay)


def param_groups(net: nn.Module, learning: LearningConfig) -> list[dict[str, Any]]:
    """Split a network's parameters into groups with their own learning rate or weight decay.

    The groups are ``GROUPS``: the weights and the biases of conv1, which the schedules of 2012 cut and froze
    early, and those of the other layers. A group is split further where layers have factors of their own, and
    left out where it has no parameters.

    Args:
        net: whose parameters end on "weight" or "bias", the first layer being called conv1.
        learning: rate, bias_rate_factor, momentum, weight_decay, decay_biases, rate_factors.
    Returns:
        groups for `PaperSGD`, each with its "name" and the "factor" of its learning rate.
    Raises:
        ValueError: a parameter is neither a weight nor a bias.
    """
    members: dict[tuple[str, float], list[nn.Parameter]] = {(name, 1.0): [] for name in GROUPS}
    factors = dict(learning.rate_factors)
    for name, parameter in net.named_parameters():
        factor = factors.get(find_layer(name), 1.0)
        members.setdefault((find_group(name), factor), []).append(parameter)
    of_biases = learning.rate * learning.bias_rate_factor
    bias_decay = learning.weight_decay if learning.decay_biases else 0.0
    return [
        {
            "name": name,
            "factor": factor,
            "params": parameters,
            "lr": factor * (of_biases if name.endswith("bias") else learning.rate),
            "momentum": learning.momentum,
            "weight_decay": bias_decay if name.endswith("bias") else learning.weight_decay,
        }
        for (name, factor), parameters in members.items()
        if parameters
    ]


def find_layer(name: str) -> str:
    """Return the layer that a parameter belongs to, by its name in the network."""
    return name.rpartition(".")[0].rpartition(".")[2]


def find_group(name: str) -> str:
    """Return the one of ``GROUPS`` that a parameter belongs to, by its name in the network.

    Raises:
        ValueError: it is neither a weight nor a bias.
    """
    *layers, kind = name.split(".")
    if kind not in ("weight", "bias"):
        raise ValueError(f"the parameter {name!r} is neither a weight nor a bias")
    return f"conv1.{kind}" if "conv1" in layers else kind


def velocities(net: nn.Module, optimizer: PaperSGD) -> dict[str, Tensor]:
    """Return the velocity of every parameter under the parameter's name: the optimizer's own tensors."""
    return {name: optimizer.velocity(parameter) for name, parameter in net.named_parameters()}


def load_velocities(net: nn.Module, optimizer: PaperSGD, values: Mapping[str, Tensor]) -> None:
    """Copy velocities into the optimizer; they may come from another device.

    Args:
        net: the network.
        optimizer: its parameters are the network's.
        values: one tensor a parameter, under its name and of its shape.
    Raises:
        ValueError: a parameter has no velocity, a velocity no parameter, or a shape differs.
    """
    own = velocities(net, optimizer)
    if own.keys() != values.keys():
        names = ", ".join(sorted(own.keys() ^ values.keys()))
        raise ValueError(f"the velocities are not those of this network: they differ in {names}")
    for name, velocity in own.items():
        if velocity.shape != values[name].shape:
            shapes = f"{tuple(values[name].shape)} for {tuple(velocity.shape)}"
            raise ValueError(f"the velocity of {name} has another shape: {shapes}")
        velocity.copy_(values[name])
