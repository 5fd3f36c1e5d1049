# In Colab this installs the package of the book.
# Where the package is there already, it does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("alexnet") is None:
    repository = "git+https://github.com/alexnet-executable/alexnet"
    source = os.environ.get("ALEXNET_SOURCE", repository)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", source]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        said = done.stdout + done.stderr
        raise RuntimeError(f"pip could not install {source}:\n{said}")
    importlib.invalidate_caches()
