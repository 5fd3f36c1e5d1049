"""A net in every layout of processes against the same net on one device, in float64; gloo, on the CPU."""

import time

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing

from alexnet.data.workers import processes
from alexnet.distributed.parallel import ParallelAlexNet, connect, layout, make_mesh
from alexnet.distributed.towers import join
from alexnet.models.traffic import communication
from alexnet.optim.sgd import velocities
from alexnet.recipes import net_config
from alexnet.seeds import make_generator, mask_generator
from support import ranks
from support.one_device import BATCH, RECIPES, STEPS, OneDevice, assert_equal, draw_step_masks, narrow, seeded

NUM_PROCESSES, TIME_LIMIT = 4, 120  # seconds; a process that waits for ever must fail the tests, no more

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each process wrote, by rank."""
    folder = tmp_path_factory.mktemp("ranks")
    how = {"join": False, "daemon": True, "start_method": processes().get_start_method()}
    workers = torch.multiprocessing.start_processes(ranks.main, (str(folder),), NUM_PROCESSES, **how)
    deadline = time.monotonic() + TIME_LIMIT
    while not workers.join(timeout=1):
        if time.monotonic() > deadline:
            for process in workers.processes:
                process.kill()
            pytest.fail(f"the processes did not end within {TIME_LIMIT} seconds")
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(NUM_PROCESSES)]


@pytest.fixture
def pair(found, base):
    """What the two processes found that had a tower each of the net of `base`."""
    first = 2 * RECIPES.index(base)
    return [each["pair"] for each in found[first : first + 2]]


def assert_step(steps, one, step, copies):
    """Compare one step, (logits, gradients) of each process, with one device."""
    logits, gradients = one.step(step, copies)
    towers = len(steps) // copies
    for copy in range(copies):
        of_copy = steps[copy * towers : (copy + 1) * towers]
        for own, _ in of_copy:
            assert_equal({"logits": own}, {"logits": logits[copy::copies]})
        assert_equal(whole([own for _, own in of_copy], one.config), gradients)


def whole(parts, config):
    """The whole net's gradients, of those of its towers or of a net that is whole already."""
    return join(parts, config) if len(parts) > 1 else parts[0]


def assert_training(found, base, copies):
    """Compare all steps, and the weights and velocities after them, with one device, which is returned."""
    one = OneDevice(base)
    start = {name: tensor.clone() for name, tensor in one.net.state_dict().items()}
    for step in range(STEPS):
        assert_step([each["steps"][step] for each in found], one, step, copies)
    for got, expected in zip(
        found[0]["gathered"], (one.net.state_dict(), velocities(one.net, one.optimizer)), strict=True
    ):
        assert_equal(got, expected)
    moved = {name: (one.net.state_dict()[name] - start[name]).abs().max() for name in start}
    assert min(moved.values()) > 0.01, moved
    return one


@pytest.mark.parametrize("base", RECIPES)
def test_two_towers_train_as_one_device(pair, base):
    one = assert_training(pair, base, copies=1)
    assert all(same for same, _ in (each["reloaded"] for each in pair))
    assert_step([each["reloaded"][1] for each in pair], one, STEPS, copies=1)


@pytest.mark.parametrize("base", RECIPES)
def test_two_pairs_on_halves_of_the_batch_train_as_one_device_and_go_on_as_four_whole_nets(found, base):
    four = [each[base] for each in found]
    one = assert_training(four, base, copies=2)
    for layout_, copies in (("reloaded", 4), ("reloaded back", 2)):
        assert all(same for same, _ in (each[layout_] for each in four))
        assert_step([each[layout_][1] for each in four], one, STEPS, copies)


@pytest.mark.parametrize("base", RECIPES)
def test_two_towers_without_dropout_at_test(pair, base):
    one = OneDevice(base)
    expected = {"logits": one.net.eval()(one.images).detach()}
    for each in pair:
        assert_equal({"logits": each["evaluated"]}, expected)


@pytest.mark.parametrize("base", ["code2012"])
@pytest.mark.parametrize(
    "mistake, factors",
    [
        ("sum counted twice", {"fc8.bias": 1, "": 2}),
        ("gather averages", {"fc8": 1, "fc7": 1, "fc6": 1 / 2, "conv1": 1 / 8, "conv2": 1 / 8, "": 1 / 4}),
    ],
)
def test_wrong_gradients_are_wrong_by_the_predicted_factor(pair, mistake, factors):
    _, right = OneDevice("code2012").step(0)
    factor = {name: next(f for key, f in factors.items() if name.startswith(key)) for name in right}
    wrong = join([each["wrong"][mistake] for each in pair], narrow("code2012"))
    assert_equal(wrong, {name: factor[name] * right[name] for name in right})
    with pytest.raises(AssertionError, match="conv1.weight differs"):
        assert_equal(wrong, right)


@pytest.mark.parametrize("base", RECIPES)
def test_what_is_sent_is_what_is_counted(pair, base):
    expected = []
    traffic = communication(narrow(base), BATCH, bytes_per_number=8)
    for row in traffic:
        expected += [("all_reduce" if row.crossing == "sum" else "all_gather", row.forward, True)]
    for rank, each in enumerate(pair):
        backward = [
            ("reduce", row.backward, tower == rank) for row in reversed(traffic[:-1]) for tower in (0, 1)
        ]
        assert each["sent"] == expected + backward
    assert [row.crossing for row in traffic if row.crossing == "edges"] == ["edges"] * 2 * (base == "paper")


@pytest.mark.parametrize("base", RECIPES)
def test_lower_precision(pair, base):
    one = OneDevice(base)
    logits, gradients = one.step(0)
    for kind, dtype, rtol in (("single", torch.float32, 1e-4), ("bfloat16", torch.bfloat16, 0.3)):
        got = pair[0][kind][0]
        got_gradients = join([each[kind][1] for each in pair], one.config)
        assert {got.dtype, *(gradient.dtype for gradient in got_gradients.values())} == {dtype}
        assert_equal({"logits": got}, {"logits": logits}, rtol)
        assert_equal(got_gradients, gradients, rtol)
        assert torch.equal(got, pair[1][kind][0])


@pytest.mark.parametrize("base", RECIPES)
def test_a_copy_that_differs_in_one_bit_is_noticed_everywhere(found, pair, base):
    said = "the processes' copies of {} have drifted apart, and nothing that they compute "
    said += "counts from there on; a checkpoint from before is whole"
    assert [each["drift"] for each in pair] == [said.format("fc8.bias")] * 2
    messages = [each[base]["drift"] for each in found]
    assert messages == [said.format("conv1.weight")] * 4


@pytest.mark.parametrize("base", RECIPES)
def test_what_does_not_fit_is_refused(pair, base):
    name = narrow(base).name
    refused = f"the network {name!r} has 1 towers, the mesh has 2"
    assert [each["mesh"] for each in pair] == [refused, refused]
    assert pair[0]["cut"] == f"these are not the parameters of the network {name!r} on one device"
    assert "give those of draw_masks" in pair[1]["no masks"]


@pytest.mark.parametrize("base", ["paper"])
def test_the_operations_by_hand_leave_their_inputs_alone(pair):
    for rank, got in enumerate(pair[i]["operations"] for i in (0, 1)):
        whole, part_gradient, gradient, total, logits, logits_gradient = got
        assert whole.tolist() == [[1, 3, 2, 4]]
        assert part_gradient.tolist() == [[[3, 30], [300, 3000]][rank]]  # once from tower a, twice from b
        assert gradient.tolist() == [[1 + rank, 10 + 10 * rank, 100 + 100 * rank, 1000 + 1000 * rank]]
        assert total.tolist() == [[15]] and logits.tolist() == [[7 + rank]]
        assert logits_gradient.tolist() == [[5]]


def test_four_towers(found):
    four = [each["4"] for each in found]
    one = OneDevice("code2012", towers=4)
    assert_step([each["step"] for each in four], one, 0, copies=1)
    traffic = communication(one.config, BATCH, bytes_per_number=8)
    sent = [3 * size for name, size, _ in four[0]["sent"] if name == "all_gather"]
    assert sent == [row.forward for row in traffic[:-1]]
    sent_back = [size for name, size, mine in four[0]["sent"] if name == "reduce" and not mine]
    assert sum(sent_back) == sum(row.backward for row in traffic)
    (logits,) = (size for name, size, _ in four[0]["sent"] if name == "all_reduce")
    assert traffic[-1].forward == 2 * 3 / 4 * logits
    assert four[0]["refused"] == "a normalisation can span two towers at most, got 4"


@pytest.mark.parametrize(
    "world_size, net, parallel, expected",
    [
        (1, "paper", "auto", (1, 1)),
        (2, "paper", "auto", (1, 2)),
        (8, "paper", "auto", (4, 2)),
        (8, "paper", "towers", (4, 2)),
        (8, "paper", "data", (8, 1)),
        (3, "paper", "data", (3, 1)),
        (3, "merged", "auto", (3, 1)),
    ],
)
def test_layout(world_size, net, parallel, expected):
    assert layout(world_size, net_config(net), parallel) == expected


@pytest.mark.parametrize("world_size, parallel", [(3, "auto"), (1, "towers")])
def test_towers_that_do_not_go_into_the_processes_are_refused(world_size, parallel):
    with pytest.raises(
        ValueError, match=f"2 towers of the network 'paper' .* among {world_size} processes; start"
    ):
        layout(world_size, net_config("paper"), parallel)
    with pytest.raises(ValueError, match="parallel must be one of auto, towers, data; got 'both'"):
        layout(2, net_config("paper"), "both")


def test_masks_depend_on_the_seed_the_step_and_the_copy_alone():
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    draws = [torch.rand(4, generator=mask_generator(*key)).tolist() for key in keys]
    assert len({tuple(draw) for draw in draws}) == len(keys)
    assert draws[0] == torch.rand(4, generator=mask_generator(0, 0, 0)).tolist()
    assert draws[0] != torch.rand(4, generator=make_generator(0, 0)).tolist()  # that of the order


def test_a_process_that_torchrun_did_not_start(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ValueError, match="not started by torchrun; use `torchrun --standalone"):
        connect()


def test_a_process_alone_is_a_net_on_one_device(monkeypatch):
    alone = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "localhost", "MASTER_PORT": 0}
    for name, value in alone.items():
        monkeypatch.setenv(name, str(value))
    device = connect()
    try:
        config = narrow("paper")
        mesh = make_mesh(layout(dist.get_world_size(), config), device)
        net = ParallelAlexNet(config, mesh, generator=seeded()).double().to(device)
        one = OneDevice("paper")
        logits = net(one.images.to(device), draw_step_masks(config, 0, 0, BATCH)).detach().cpu()
        assert_equal({"logits": logits}, {"logits": one.step(0)[0]}, 1e-9 if device.type == "cuda" else 0)
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("base", RECIPES)
def test_copies_that_resume_add_their_gradients_in_the_order_of_those_that_went_on(found, base):
    assert all(each[base]["resumed"] for each in found)  # with three or more the order shows in the last bits
