"""Data sets: find them, get them, or make the generated default set.

Every chapter and command comes in through ``load`` or ``load_or_default``.
"""

from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.obtain import get, import_set
from alexnet.data.store import load, load_or_default, path_of, root

__all__ = [
    "KNOWN_SETS",
    "ImageSet",
    "get",
    "import_set",
    "load",
    "load_or_default",
    "path_of",
    "root",
    "synthetic",
]
