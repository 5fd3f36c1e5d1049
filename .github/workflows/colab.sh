#!/usr/bin/env bash
# Runs inside Colab's image: install the package as the first cell of a chapter does, beside the torch that is there,
# then execute every notebook in an empty folder.
set -euo pipefail
versions() { python3 -c 'import torch, torchvision; print(torch.__version__, torchvision.__version__)'; }

cp -r /project /tmp/project # the build writes into the folder, and /project belongs to the host
before=$(versions)
python3 -m pip install --quiet /tmp/project
after=$(versions)
echo "torch and torchvision before: $before; after: $after"
test "$before" = "$after"

mkdir /tmp/notebooks
cp /tmp/project/book/*.ipynb /tmp/notebooks/
python3 /tmp/project/tools/execnb.py --timeout 900 /tmp/notebooks/*.ipynb
