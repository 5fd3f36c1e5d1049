"""Processes of the tests that are forked from one which has imported what all of them need.

A kernel takes five seconds of a processor before its first cell, most of them for PyTorch and matplotlib; a
process that trains takes three. `execnb.py`, which makes the outputs that the tests of the notebooks compare
with, starts kernels as readers do.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from multiprocessing.context import BaseContext

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

PROCESSES = ["alexnet.distributed.parallel", "alexnet.evaluation.prediction", "alexnet.training"]
PROCESSES += ["torch.utils.tensorboard", "torch._dynamo"]  # the second by data parallelism
KERNELS = ["forking", "ipykernel.kernelapp", "ipykernel.ipkernel", "ipywidgets", "torchvision"]
KERNELS += ["matplotlib.pyplot", "matplotlib_inline.backend_inline"]
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
LAUNCHER = "ipykernel_launcher"
PACKAGE = "alexnet"


class ForkedKernels(LocalProvisioner):
    """Start kernels by forking, where it is a Python kernel that is asked for."""

    async def launch_kernel(self, cmd: list[str], **settings):
        """Fork a kernel with the arguments of a command that would start one."""
        if LAUNCHER not in cmd:
            return await super().launch_kernel(cmd, **settings)
        arguments = cmd[cmd.index(LAUNCHER) + 1 :]
        process = multiprocessing.get_context("forkserver").Process(
            target=serve, args=(arguments, settings.get("cwd") or os.getcwd(), dict(settings["env"]))
        )
        process.start()
        self.process = Forked(process)
        self.pid = self.pgid = process.pid
        return self.connection_info


class Forked:
    """A process of multiprocessing, as jupyter_client expects one of subprocess."""

    stdin = stdout = stderr = None

    def __init__(self, process: multiprocessing.Process):
        self.process, self.pid = process, process.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired([LAUNCHER], timeout)
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to a process that still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def serve(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be a kernel until it is shut down, in a session of its own like one that was started by a command."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    # A chapter imports the package itself: a module that it forgets must be missing here too.
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    sys.path[0] = ""
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=arguments)


def import_once(names: list[str]) -> None:
    """Let the process that others are forked from import these modules, whoever starts it."""
    preload = BaseContext.set_forkserver_preload

    def preload_more(self, wanted):
        preload(self, [*wanted, *names])

    BaseContext.set_forkserver_preload = preload_more
    if CAN_FORK:
        multiprocessing.get_context("forkserver").set_forkserver_preload([])


def fork_kernels() -> None:
    """Let every kernel that this process starts from now on be forked, where the system can."""
    if not CAN_FORK:
        return
    import_once(KERNELS)
    factory = KernelProvisionerFactory.instance()
    name = factory.default_provisioner_name
    factory.provisioners[name] = EntryPoint(name, "forking:ForkedKernels", factory.GROUP_NAME)
