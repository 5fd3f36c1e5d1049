"""Data sets: find them, get them, or make the generated default set.

Every chapter and command comes in through ``load`` or ``load_or_default``.
"""

from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.obtain import import_set
from alexnet.data.store import load, load_or_default, path_of, root

__all__ = ["ImageSet", "import_set", "load", "load_or_default", "path_of", "root", "synthetic"]
