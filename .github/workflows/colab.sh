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

for figures in static live; do # a reader's figures are live; whether they work is seen where they raise
    mkdir "/tmp/$figures"
    cp /tmp/project/book/*.ipynb "/tmp/$figures/"
    python3 /tmp/project/tools/execnb.py --timeout 900 --figures "$figures" "/tmp/$figures"/*.ipynb
done
