"""The network in other people's tools: hooks, tracers, exporters, pruning, attribution."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from alexnet.models import blocks
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.layers import Dropout
from alexnet.recipes import RECIPES
from support.narrow import loud, narrow, random_images, run_by_layers, seeded

BOTH = pytest.mark.parametrize("name", RECIPES)
FIGURE_2 = ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2", "conv3", "relu3"]
FIGURE_2 += ["conv4", "relu4", "conv5", "relu5", "pool5", "flatten"]
FIGURE_2 += ["fc6", "relu6", "dropout_fc7", "fc7", "relu7", "dropout_fc8", "fc8"]


@pytest.fixture
def net():
    return loud(narrow())


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-9)


def test_the_children_are_figure_2_in_its_order(net):
    assert [name for name, _ in net.named_children()] == FIGURE_2
    code = [name for name, _ in AlexNet(narrow("code2012")).named_children()]
    assert code[:4] == ["conv1", "norm1", "pool1", "relu1"]
    printed = [line.split("(")[1].split(")")[0] for line in repr(net).splitlines()[2:-1]]
    assert printed == FIGURE_2
    six = [name for name, _ in AlexNet(narrow(conv_channels=(8, 12, 16, 20, 24, 8))).named_children()]
    assert six[six.index("conv6") + 1] == "relu_conv6" and six.count("relu6") == 1


@BOTH
def test_the_network_is_the_chain_of_its_children(name):
    net = loud(narrow(name))
    images = random_images(net.config)
    close(nn.Sequential(*net.children())(images), net(images))
    assert net.conv1(images).shape[2:] == (16, 16)  # with the zeros beside the image
    maps = net.maps(images)
    close(net.classify(maps), net(images))
    close(maps, run_by_layers(net, images)["pool5"])


def test_one_module_may_stand_in_many_places(net):
    separate, shared, images = copy.deepcopy(net), nn.Tanh(), random_images(net.config)
    for name, child in net.named_children():
        if isinstance(child, nn.ReLU):
            setattr(separate, name, nn.Tanh())
            setattr(net, name, shared)
    close(net(images), separate(images))
    close(net.classify(net.maps(images)), separate(images))
    close(net.head(net.features(images)), separate(images))


@pytest.mark.parametrize("training", [False, True])
def test_hooks_are_called_once_a_batch_and_see_every_layer(net, training):
    seen = []
    for name, child in net.train(training).named_children():
        child.register_forward_hook(lambda _module, _inputs, y, name=name: seen.append((name, len(y))))
    images = random_images(net.config, 5)
    net(images)
    assert seen == [(name, 5) for name in FIGURE_2]
    backward = []
    net.fc8.register_full_backward_hook(lambda *_: backward.append("fc8"))
    net.conv2.register_full_backward_hook(lambda *_: backward.append("conv2"))
    net(images).sum().backward()
    assert backward == ["fc8", "conv2"]


def test_a_hook_of_a_layer_sees_the_whole_batch_in_an_evaluation_too(net, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)  # an image at a time
    images, seen = random_images(net.config, 5), []
    without = blocks.compute_logits(net.eval(), images)
    net.conv5.register_forward_hook(lambda _module, _inputs, y: seen.append(len(y)))
    close(blocks.compute_logits(net, images), without)
    assert seen == [5]


def test_a_layer_behind_the_last_one_is_no_part_of_the_features(net):
    images = random_images(net.config, 3)
    features, logits = net.eval().features(images), net(images)
    net.softmax = nn.Softmax(1)
    close(net.features(images), features)
    close(net.head(features), logits.softmax(1))
    close(net(images), logits.softmax(1))


@BOTH
@pytest.mark.parametrize("training", [False, True])
def test_a_tracer_gives_the_same(name, training):
    net = loud(narrow(name, dropout=0.0 if training else 0.5)).train(training)
    traced = torch.fx.symbolic_trace(net)
    images = random_images(net.config, 3)
    close(traced(images), net(images))
    with pytest.raises(ValueError, match="reads images"):
        traced(images[:, :1])


def test_a_traced_network_draws_masks_and_takes_them(net):
    traced = torch.fx.symbolic_trace(net.train())
    images = random_images(net.config)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 2, generator=seeded(5)).items()}
    close(traced(images, masks), net(images, masks))
    assert not torch.equal(traced(images), traced(images))


def test_features_of_any_layer_are_extracted(net):
    images = random_images(net.config)
    extractor = create_feature_extractor(net, {"pool5": "maps", "relu7": "last", "conv1": "first"})
    found = extractor.eval()(images)
    close(found["maps"], net.maps(images))
    close(found["last"], net.features(images))
    close(found["first"], net.conv1(images))
    assert extractor.train()(images)["last"].shape == (2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_network_takes_any_number_of_images(net, strict):
    shapes = {"images": {0: torch.export.Dim("n", min=1, max=64)}}
    images = (random_images(net.config, 3),)
    exported = torch.export.export(net, images, dynamic_shapes=shapes, strict=strict).module()
    for count in (1, 5):
        images = random_images(net.config, count)
        close(exported(images), net(images))


def test_functional_transforms_give_the_gradients_of_each_image(net):
    images, labels = random_images(net.config, 3), torch.tensor([0, 1, 2])
    parameters = dict(net.named_parameters())

    def loss(parameters, image, label):
        return F.cross_entropy(torch.func.functional_call(net, parameters, (image[None],)), label[None])

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, images, labels)
    F.cross_entropy(net(images), labels).backward()
    for name, parameter in parameters.items():
        close(each[name].mean(0), parameter.grad)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace:FutureWarning")
def test_torchscript_traces_it(net):
    images = random_images(net.config)
    close(torch.jit.trace(net, images)(random_images(net.config, 4)), net(random_images(net.config, 4)))


def test_it_is_pruned_and_reparametrised_in_every_layer(net):
    from torch.nn.utils import parametrizations, prune

    images = random_images(net.config)
    for name in ("conv1", "conv4", "fc6", "fc8"):
        prune.l1_unstructured(net.get_submodule(name), "weight", amount=0.5)
    for _ in range(2):
        net.zero_grad()
        net(images).sum().backward()
        assert (net.fc8.weight_orig.grad[net.fc8.weight_mask == 0] == 0).all()
    assert ((net.fc8.weight == 0).double().mean() - 0.5).abs() < 0.03
    normed = loud(narrow())
    parametrizations.spectral_norm(normed.fc8, n_power_iterations=30)
    normed.train()(images)
    assert torch.linalg.matrix_norm(normed.fc8.weight, 2).item() == pytest.approx(1, abs=1e-3)


def test_copies_and_pickles_are_the_same_network(net):
    images = random_images(net.config)
    kept = io.BytesIO()
    torch.save(net, kept)
    kept.seek(0)
    for other in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        torch.load(kept, weights_only=False),
    ):
        assert torch.equal(other(images), net(images))


def test_a_layer_may_be_replaced(net):
    net.norm1, net.norm2 = nn.BatchNorm2d(8).double(), nn.Identity()
    net.fc8 = nn.Linear(10, 2).double()
    assert net.train()(random_images(net.config, 6)).shape == (6, 2)
    assert sum(isinstance(child, Dropout) for child in net.children()) == 2


# Tools that the tests do without where they are not installed: `pip install --group tools`


def test_onnx_with_any_number_of_images(net, tmp_path):
    runtime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    net = net.float()
    path = tmp_path / "net.onnx"
    shapes = ({0: torch.export.Dim("n", min=1, max=64)},)
    sample = (random_images(net.config, 3, torch.float32),)
    torch.onnx.export(net, sample, path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    session = runtime.InferenceSession(path)
    for count in (1, 5):
        images = random_images(net.config, count, torch.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        expected = net(images).detach()
        assert (torch.from_numpy(found) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_torchinfo_counts_every_parameter(net):
    torchinfo = pytest.importorskip("torchinfo")
    counted = torchinfo.summary(net, input_data=random_images(net.config), verbose=0)
    assert counted.total_params == counted.trainable_params == sum(p.numel() for p in net.parameters())
    assert {layer.var_name for layer in counted.summary_list} >= set(FIGURE_2)


def test_captum_attributes_to_pixels_and_layers(net):
    captum = pytest.importorskip("captum.attr")
    images = random_images(net.config)
    gradients, error = captum.IntegratedGradients(net).attribute(
        images, target=1, n_steps=200, return_convergence_delta=True
    )
    assert gradients.shape == images.shape
    change = (net(images) - net(torch.zeros_like(images)))[:, 1]
    assert (error.abs() < 0.05 * change.abs().max()).all()
    assert captum.LayerGradCam(net, net.conv5).attribute(images, target=1).shape == (2, 1, 4, 4)


def test_torch_pruning_removes_channels(net):
    pruning = pytest.importorskip("torch_pruning")
    images = random_images(net.config)
    graph = pruning.DependencyGraph().build_dependency(net, example_inputs=images)
    graph.get_pruning_group(net.conv3, pruning.prune_conv_out_channels, idxs=[0, 8]).prune()
    assert net.conv3.out_channels == 14 and net(images).shape == (2, 5)
