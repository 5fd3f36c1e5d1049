"""Maps of every layer, what a unit sees, and the places where a map is strongest."""

import pytest
import torch

import alexnet
from alexnet.evaluation.responses import Place, fields, layer_names, peaks, responses, strongest, window
from alexnet.functional.geometry import ReceptiveField


@pytest.fixture(scope="module")
def classifier():
    return alexnet.load_classifier("imagenette")


def noise(*size, seed=0):
    return torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_the_maps_are_those_that_the_net_computes(classifier):
    view = classifier.transforms(noise(3, 112, 112))
    found = responses(classifier.net, view)
    assert list(found) == layer_names(classifier.net.config)
    assert {name: maps.shape[1] for name, maps in found.items() if name in ("conv1", "pool1", "fc6")} == {
        "conv1": 23,
        "pool1": 11,
        "fc6": 1,
    }
    with torch.no_grad():
        torch.testing.assert_close(found["fc8"].flatten(), classifier.net(view[None])[0])
        torch.testing.assert_close(found["conv1"], classifier.net.conv1(view[None])[0].relu())
    for name, maps in found.items():
        assert (maps.min() == 0) == (name != "fc8"), name


def test_a_larger_image_gives_larger_maps_and_no_dense_layers(classifier):
    found = responses(classifier.net, noise(3, 131, 195).float() - 120)
    assert found["conv1"].shape == (96, 31, 47) and not [name for name in found if name.startswith("fc")]


def test_a_unit_sees_its_field_and_no_more(classifier):
    """By the gradient, with the normalisation over neighbouring places silent, which `fields` leaves out."""
    net = alexnet.load_classifier("imagenette").net
    net.spatial_norm2.constants["alpha"] = 0.0
    seen = fields(net.config)
    assert [seen[name].size for name in ("conv1", "pool1", "conv2", "pool2", "fc6")] == [11, 19, 51, 67, 99]
    row, column = 1, 3
    for name in ("conv1", "pool1", "conv2", "pool2"):
        leaf = x = (noise(1, 3, 99, 99).float() - 120).requires_grad_()
        for module_name, module in net.named_children():
            x = module(x)
            if module_name == name:
                break
        (gradient,) = torch.autograd.grad(x[0, :, row, column].sum(), leaf)
        touched = gradient[0].abs().sum(0)
        rows, columns = touched.sum(1).nonzero().flatten(), touched.sum(0).nonzero().flatten()
        top, left, height, width = window(seen[name], row, column, 99, 99)
        spans = (rows[0].item(), rows[-1].item() + 1, columns[0].item(), columns[-1].item() + 1)
        assert spans == (top, top + height, left, left + width), name


def test_a_window_ends_with_the_image():
    field = ReceptiveField(size=10, stride=4, start=-3)
    assert window(field, 0, 1, 20, 12) == (0, 1, 7, 10)
    assert window(field, 4, 2, 20, 12) == (13, 5, 7, 7)


def test_peaks_are_the_strongest_photographs_at_their_strongest_places():
    maps = [torch.zeros(2, 3, 4), torch.zeros(2, 2, 5), torch.zeros(2, 3, 3)]
    maps[0][0, 2, 1], maps[1][0, 1, 4], maps[2][0, 0, 2] = 5.0, 7.0, 6.0
    maps[0][1, 0, 3], maps[1][1, 1, 0], maps[2][1, 2, 2] = 3.0, 1.0, 2.0
    assert peaks(maps, 2) == [
        [Place(1, 1, 4, 7.0), Place(2, 0, 2, 6.0)],
        [Place(0, 0, 3, 3.0), Place(2, 2, 2, 2.0)],
    ]


def test_the_strongest_place_has_the_strongest_answer(classifier):
    photographs = [noise(3, 112, 150, seed=1), noise(3, 140, 112, seed=2) // 2]
    found = strongest(classifier, photographs, 2)
    assert {name: len(units) for name, units in found.items()}["conv3"] == 192
    colour = classifier.statistics.mean_image.mean((1, 2), keepdim=True)
    maps = [responses(classifier.net, photograph - colour)["conv3"] for photograph in photographs]
    for unit in (0, 100):
        first, second = found["conv3"][unit]
        assert first.value >= second.value and {first.photograph, second.photograph} == {0, 1}
        for place in (first, second):
            answer = maps[place.photograph][unit]
            assert answer[place.row, place.column] == answer.max() == pytest.approx(place.value)
    view = responses(classifier.net, classifier.transforms(photographs[0]))["fc8"][4].item()
    assert view in [pytest.approx(place.value) for place in found["fc8"][4]]
    with pytest.raises(ValueError, match="k must be from 1 to the 2 photographs, got 3"):
        strongest(classifier, photographs, 3)


def test_dense_layers_read_the_scaled_centre_also_of_a_photograph_as_large_as_the_input(classifier):
    photograph = noise(3, classifier.net.config.input_size, classifier.net.config.input_size)
    found = strongest(classifier, [photograph], 1)
    colour = classifier.statistics.mean_image.mean((1, 2), keepdim=True)
    for name, image in (("fc8", classifier.transforms(photograph)), ("conv2", photograph - colour)):
        highest = responses(classifier.net, image)[name].flatten(1).amax(1).tolist()
        assert [places[0].value for places in found[name]] == pytest.approx(highest), name


def test_photographs_go_to_the_device_of_the_classifier(monkeypatch):
    monkeypatch.setattr("alexnet.evaluation.responses.peaks", lambda maps, k: [of.device for of in maps])
    found = strongest(alexnet.load_classifier("imagenette", "meta"), [noise(3, 120, 130)], 1)
    assert {device.type for devices in found.values() for device in devices} == {"meta"}
