"""Data sets: find them, get them, or make the generated default set.

Every chapter and command comes in through `load` or `load_or_default`. What stands in ``__all__`` is
imported when it is first asked for: the processes that prepare images start without torch.
"""

import lazy_loader

TYPE_CHECKING = False  # true for type checkers, which know this name
if TYPE_CHECKING:  # they do not see through lazy_loader
    from alexnet.data.catalogue import KNOWN_SETS as KNOWN_SETS
    from alexnet.data.generated import synthetic as synthetic
    from alexnet.data.imageset import ImageSet as ImageSet
    from alexnet.data.obtain import get as get
    from alexnet.data.obtain import import_set as import_set
    from alexnet.data.store import load as load
    from alexnet.data.store import load_or_default as load_or_default
    from alexnet.data.store import locate as locate
    from alexnet.data.store import root as root

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["KNOWN_SETS"],
        "generated": ["synthetic"],
        "imageset": ["ImageSet"],
        "obtain": ["get", "import_set"],
        "store": ["load", "load_or_default", "locate", "root"],
    },
)
