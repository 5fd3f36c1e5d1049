"""``import alexnet`` alone: quick, and enough for those who want the net."""

import ast
import importlib
import inspect
import subprocess
import sys

import pytest
import torch

import alexnet


def test_importing_the_package_loads_nothing_else():
    code = (
        "import sys; before = set(sys.modules)\n"
        "import alexnet\n"
        "assert set(sys.modules) - before <= {'alexnet', 'lazy_loader'}, set(sys.modules) - before\n"
        "alexnet.net_config('paper')\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_net_is_there_under_its_name():
    net = alexnet.AlexNet(alexnet.net_config("small", base="code2012", num_classes=10))
    assert net.eval()(torch.zeros(1, 3, 28, 28)).shape == (1, 10)
    net = alexnet.AlexNet(alexnet.net_config("code2012", num_classes=10))
    assert net.fc8.weight.shape == (10, 4096)


@pytest.mark.parametrize(
    "name", [name for name in alexnet.__all__ if name not in ("__version__", *alexnet.SUBPACKAGES)]
)
def test_every_name_is_what_its_module_defines(name):
    value = getattr(alexnet, name)
    if hasattr(value, "__name__"):  # a class or function knows where it stands, a recipe does not
        assert value is getattr(importlib.import_module(value.__module__), name)
    assert name in dir(alexnet)


@pytest.mark.parametrize("package", [alexnet, alexnet.data])
def test_type_checkers_read_the_names_that_are_there(package):
    blocks = [node for node in ast.parse(inspect.getsource(package)).body if isinstance(node, ast.If)]
    read = {alias.asname: node.module for node in blocks[0].body for alias in node.names}
    assert read.keys() == set(package.__all__) - {"__version__"}
    for name, module in read.items():
        assert getattr(importlib.import_module(module), name) is getattr(package, name)


def test_other_names_are_missed_as_usual():
    with pytest.raises(AttributeError, match="No alexnet attribute Alexnet"):
        _ = alexnet.Alexnet
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'alexnet'"):
        from alexnet import nothing  # noqa: F401
