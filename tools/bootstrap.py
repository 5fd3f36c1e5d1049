# In Colab this installs the package of the book. Where the package is there already, it does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("alexnet") is None:
    source = os.environ.get("ALEXNET_SOURCE", "git+https://github.com/alexnet-executable/alexnet")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", source]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not install {source}:\n{done.stdout}{done.stderr}")
    importlib.invalidate_caches()
