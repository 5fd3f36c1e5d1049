"""Data sets: find them, get them, or make the generated default set.

Every chapter and command comes in through ``load`` or ``load_or_default``. What stands in ``__all__`` is
imported when it is first asked for: the processes that prepare images start without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["KNOWN_SETS"],
        "generated": ["synthetic"],
        "imageset": ["ImageSet"],
        "obtain": ["get", "import_set"],
        "store": ["load", "load_or_default", "path_of", "root"],
    },
)
