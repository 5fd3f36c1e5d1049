"""AlexNet, executable: the network of Krizhevsky, Sutskever & Hinton (2012) and their paper's experiments.

    import alexnet
    net = alexnet.AlexNet(alexnet.net_config("code2012", num_classes=10))
    alexnet.predict(alexnet.load_classifier("runs/default-paper-seed0"), ["picture.jpg"])

What stands in ``__all__`` is imported when it is first asked for, so that the import alone, with which every
command begins, loads neither torch nor anything else.
"""

__version__ = "0.1.0"

_MODULES = {  # name -> the module that defines it
    "AlexNet": "alexnet.model",
    "AugmentConfig": "alexnet.config",
    "CODE2012": "alexnet.recipes",
    "LearningConfig": "alexnet.config",
    "NETS": "alexnet.recipes",
    "NetConfig": "alexnet.config",
    "PAPER": "alexnet.recipes",
    "RECIPES": "alexnet.recipes",
    "Recipe": "alexnet.config",
    "load_classifier": "alexnet.prediction",
    "nearest": "alexnet.retrieval",
    "net_config": "alexnet.recipes",
    "predict": "alexnet.prediction",
    "recipe_named": "alexnet.recipes",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str):
    """Import a name from the module that defines it, once."""
    if name not in _MODULES:
        raise AttributeError(f"module 'alexnet' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """List also the names that have not been asked for yet."""
    return sorted({*globals(), *_MODULES})
