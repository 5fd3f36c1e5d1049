"""``python -m alexnet`` is the command ``alexnet``."""

import sys

from alexnet.cli import main

sys.exit(main())
