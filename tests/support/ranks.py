"""What each process of the test of ``alexnet.distributed.parallel`` does: train narrow nets in every layout.

Every process writes what it got to a file; the tests compare that with the net on one device. This module is
imported by the processes, which is why it does not import pytest.
"""

from datetime import timedelta
from pathlib import Path
from unittest import mock

import torch
import torch.distributed as dist

from alexnet.distributed import collectives
from alexnet.distributed.parallel import (
    Layout,
    ParallelAlexNet,
    check_replicas,
    data_parallel,
    gather_state,
    make_mesh,
    scatter_state,
)
from alexnet.optim.sgd import PaperSGD, load_velocities, param_groups, velocities
from support.one_device import (
    BATCH,
    RECIPES,
    STEPS,
    data,
    do_step,
    draw_step_masks,
    make_learning,
    narrow,
    seeded,
)

CPU = torch.device("cpu")


class Run:
    """A net in a layout with its optimizer and its share of the data."""

    def __init__(self, base, layout, dtype=torch.float64, **changes):
        self.config = narrow(base, **changes)
        self.mesh = make_mesh(layout, CPU)
        self.net = ParallelAlexNet(self.config, self.mesh, generator=seeded()).to(dtype)
        self.model = data_parallel(self.net)
        self.optimizer = PaperSGD(param_groups(self.model, make_learning(base)))
        self.rank, self.share = self.mesh.get_local_rank("data"), slice(None, None, layout.data_parallel)
        images, labels = data()
        self.images = images[self.rank :: layout.data_parallel].to(dtype)
        self.labels = labels[self.rank :: layout.data_parallel]

    def step(self, step, update=True):
        """Do a step; returns (logits, this process's gradients)."""
        masks = draw_step_masks(self.config, step, self.rank, len(self.images))
        logits = do_step(self.model, self.images, self.labels, masks, self.optimizer if update else None)
        return logits, {name: p.grad.clone() for name, p in self.net.tower.named_parameters()}

    def gather(self):
        """Weights and velocities of the whole net, in the first process."""
        own = velocities(self.net.tower, self.optimizer)
        return gather_state(self.net.tower.state_dict(), self.net), gather_state(own, self.net)

    def scatter(self, weights, velocities_):
        """Load weights and velocities of the whole net."""
        self.net.tower.load_state_dict(scatter_state(weights, self.net))
        load_velocities(self.net.tower, self.optimizer, scatter_state(velocities_, self.net))


def pair(base):
    """Two processes, a tower each."""
    run = Run(base, Layout(1, 2))
    found = {"evaluated": run.net.eval()(run.images).detach()}
    run.net.train()
    found["wrong"] = wrong_gradients(run)
    found["sent"] = calls_of_a_step(run)
    found["steps"] = [run.step(step) for step in range(STEPS)]
    check_replicas(run.net)
    found["gathered"] = run.gather()
    found["reloaded"] = reload(Run(base, Layout(1, 2)), found["gathered"])
    found["single"] = Run(base, Layout(1, 2), torch.float32).step(0)
    found["bfloat16"] = Run(base, Layout(1, 2), torch.bfloat16).step(0, update=False)
    found["drift"] = drift(run, "fc8.bias", dist.get_rank() == 1)
    found["cut"] = refusal(lambda: scatter_state({"fc8.bias": torch.zeros(5)}, run.net), only_rank=0)
    found["mesh"] = refusal(lambda: ParallelAlexNet(narrow(base, towers=1), run.mesh))
    found["no masks"] = refusal(lambda: run.net(run.images))
    found["operations"] = operations(run.net.group)
    return found


def reload(run, gathered):
    """Load what another layout has gathered; returns (are all bits the same, what the next step gives)."""
    run.scatter(*gathered)
    again = run.gather()
    pairs = zip(gathered, again, strict=True) if dist.get_rank() == 0 else ()
    same = all(torch.equal(before[name], after[name]) for before, after in pairs for name in before)
    return same, run.step(STEPS)


def wrong_gradients(run):
    """The gradients with each of two mistakes that are easily made."""
    right = collectives.AllGather.backward
    mistakes = {
        "sum counted twice": (collectives.AllReduce, lambda ctx, gradient: (summed(gradient), None)),
        "gather averages": (collectives.AllGather, lambda ctx, gradient: (right(ctx, gradient)[0] / 2, None)),
    }
    gradients = {}
    for name, (operation, backward) in mistakes.items():
        with mock.patch.object(operation, "backward", staticmethod(backward)):
            gradients[name] = run.step(0, update=False)[1]
    return gradients


def summed(gradient):
    gradient = gradient.clone()
    dist.all_reduce(gradient)
    return gradient


def calls_of_a_step(run):
    """(operation, bytes of the tensor, whether the result is for this process) of every collective call."""
    calls = []

    def recorded(name, call):
        def record(*args, **options):
            tensor = args[1] if name == "all_gather" else args[0]
            mine = name != "reduce" or args[1] == dist.get_rank()
            calls.append((name, tensor.nbytes, mine))
            return call(*args, **options)

        return record

    names = ("all_gather", "reduce", "all_reduce")
    with mock.patch.multiple(dist, **{name: recorded(name, getattr(dist, name)) for name in names}):
        masks = draw_step_masks(run.config, 0, 0, BATCH)
        do_step(run.model, run.images, run.labels, masks)
    return calls


def drift(run, name, here):
    """What ``check_replicas`` says when one process's copy differs in the last bit."""
    parameter = run.net.tower.get_parameter(name).data.view(-1)
    if here:
        parameter[0] = torch.nextafter(parameter[0], parameter[0] + 1)
    return refusal(lambda: check_replicas(run.net))


def refusal(call, only_rank=None):
    """The message with which a call is refused, in the one process that makes it or in all."""
    if only_rank is not None and dist.get_rank() != only_rank:
        return None
    try:
        call()
    except (ValueError, RuntimeError) as error:
        return str(error)
    return "not refused"


def operations(group):
    """Both operations on a batch of one, whose slices are contiguous, with a gradient that is used again."""
    own = dist.get_rank()
    part = torch.tensor([[1.0 + own, 3.0 + own]], requires_grad=True)
    gradient = torch.tensor([[1.0, 10.0, 100.0, 1000.0]]) * (1 + own)
    whole = collectives.all_gather(part, group)
    whole.backward(gradient)
    logits = torch.tensor([[7.0 + own]], requires_grad=True)
    total = collectives.all_reduce(logits, group)
    total.backward(torch.tensor([[5.0]]))
    return [x.detach() for x in (whole, part.grad, gradient, total, logits, logits.grad)]


def four(base):
    """Four processes: two pairs on halves of the batch, then four whole nets on quarters."""
    run = Run(base, Layout(2, 2))
    found = {"steps": [run.step(step) for step in range(STEPS)]}
    check_replicas(run.net)
    found["gathered"] = run.gather()
    whole = Run(base, Layout(4, 1))
    found["reloaded"] = reload(whole, found["gathered"])
    found["reloaded back"] = reload(Run(base, Layout(2, 2)), whole.gather())
    found["drift"] = drift(run, "conv1.weight", run.rank == 1)
    found["resumed"] = resumed(base)
    return found


def resumed(base):
    """Train four whole nets three steps, the last one again from a copy of the state before; same bits?"""
    run, again = (Run(base, Layout(4, 1), dtype=torch.float32) for _ in range(2))
    for step in range(2):
        run.step(step)
    weights = {name: tensor.clone() for name, tensor in run.net.tower.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in velocities(run.net.tower, run.optimizer).items()}
    again.net.tower.load_state_dict(weights)
    load_velocities(again.net.tower, again.optimizer, before)
    for each in (run, again):
        each.step(2)
    ends = zip(run.net.tower.parameters(), again.net.tower.parameters(), strict=True)
    return all(torch.equal(one, other) for one, other in ends)


def quarters():
    """Four towers."""
    spread = refusal(lambda: Run("paper", Layout(1, 4), towers=4))
    run = Run("code2012", Layout(1, 4), towers=4)
    return {"refused": spread, "step": run.step(0), "sent": calls_of_a_step(run)}


def main(rank, folder):
    """Do everything, in two pairs and then all together, and write it down."""
    torch.set_num_threads(1)
    base = RECIPES[rank // 2]
    found = together(f"{folder}/meet-{base}", rank % 2, 2, lambda: {"pair": pair(base)})
    found |= together(
        f"{folder}/meet-all", rank, 4, lambda: {b: four(b) for b in RECIPES} | {"4": quarters()}
    )
    torch.save(found, f"{folder}/rank{rank}.pt")


def together(meeting, rank, world_size, work):
    """Run `work` in a process group that meets at a file."""
    options = {"init_method": Path(meeting).as_uri(), "timeout": timedelta(seconds=60)}
    dist.init_process_group("gloo", rank=rank, world_size=world_size, **options)
    try:
        return work()
    finally:
        dist.destroy_process_group()
