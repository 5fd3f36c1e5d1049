# Colab gets the package of this book here; elsewhere this says how to install it.
import importlib.util
import os
import subprocess
import sys

spec = importlib.util.find_spec("alexnet")
if spec is None or spec.origin is None:  # a mere folder called alexnet has no origin
    address = "git+https://example.invalid/OWNER/alexnet"
    address = ""  # unadopted: nobody owns that address
    source = os.environ.get("ALEXNET_SOURCE")
    source = source or ("google.colab" in sys.modules and address)
    way = "-e .." if os.path.isfile("../dev.py") else address
    why = "alexnet is not installed for this kernel: "
    if not way:  # unadopted
        why += "this copy of the book has no address to install it from, "  # unadopted
        why += "until its owner runs `python3 dev.py adopt "  # unadopted
        why += "https://github.com/OWNER/NAME`; from a clone of yours, "  # unadopted
        way = "-e FOLDER"  # unadopted
    why += f"run `%pip install {way}` in a cell, then restart the kernel."
    if source:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", source]
        done = subprocess.run(pip, capture_output=True, text=True)
        why = ""
        if done.returncode:
            why = f"pip could not install {source}: is there a network? "
            why += f'`%pip install "{source}"` in a cell shows what pip says.'
        sys.modules.pop("alexnet", None)
        importlib.invalidate_caches()
    if why:
        error = ImportError(why)
        error._render_traceback_ = lambda: [why]  # one sentence, no traceback
        raise error
