"""Kernels that are forked are like those that a command starts."""

from importlib.metadata import EntryPoint

import forking
import pytest
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not forking.CAN_FORK, reason="this system cannot fork"),
]


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The manager of a kernel that was forked in tmp_path."""
    factory = KernelProvisionerFactory.instance()
    forked = EntryPoint(factory.default_provisioner_name, "forking:ForkedKernels", factory.GROUP_NAME)
    monkeypatch.setitem(factory.provisioners, factory.default_provisioner_name, forked)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path), env={"PATH": "", "GREETING": "hello"})
    yield manager
    manager.shutdown_kernel(now=True)


def printed(client, code: str) -> str:
    """What a cell prints or how it fails."""
    words = []

    def keep(message):
        content = message["content"]
        words.append(content.get("text", "") or content.get("ename", ""))

    client.execute_interactive(code, timeout=60, output_hook=keep)
    return "".join(words).strip()


def test_a_forked_kernel_has_its_folder_its_environment_and_nothing_of_the_package(manager, tmp_path):
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        assert isinstance(manager.provisioner.process, forking.Forked)
        assert printed(client, "import os, sys; print(os.getcwd())") == str(tmp_path)
        assert printed(client, "print(os.environ['GREETING'], 'HOME' in os.environ)") == "hello False"
        assert printed(client, "print([name for name in sys.modules if name.startswith('alexnet')])") == "[]"
        assert printed(client, "print(__name__, sys.path[0] == '')") == "__main__ True"
        assert printed(client, "import alexnet; print(alexnet.__name__)") == "alexnet"
        assert printed(client, "os.kill(os.getpid(), 2)") == "KeyboardInterrupt"
        assert printed(client, "print(os.getsid(0) == os.getpid())") == "True"
    finally:
        client.stop_channels()


def test_a_forked_kernel_ends_when_asked_and_when_killed(manager):
    process = manager.provisioner.process
    assert process.poll() is None and manager.is_alive()
    manager.shutdown_kernel(now=True)
    assert process.poll() == -9 and not manager.is_alive()
