"""AlexNet, executable: the network of Krizhevsky, Sutskever & Hinton (2012) and their paper's experiments.

::

    import alexnet
    net = alexnet.create_model("code2012", num_classes=10)
    alexnet.predict(alexnet.load_classifier("runs/default-paper-seed0"), ["picture.jpg"])

What stands in ``__all__`` is imported when it is first asked for, so that the import alone, with which every
command begins, loads neither torch nor anything else.
"""

import lazy_loader

__version__ = "0.1.0"

SUBPACKAGES = [
    "data",
    "distributed",
    "evaluation",
    "experiments",
    "figures",
    "functional",
    "models",
    "optim",
    "storage",
    "training",
    "transforms",
]
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=SUBPACKAGES,
    submod_attrs={
        "config": ["AugmentConfig", "LearningConfig", "NetConfig", "Recipe"],
        "evaluation.neighbours": ["nearest"],
        "evaluation.prediction": ["load_classifier", "predict"],
        "models.alexnet": ["AlexNet"],
        "models.create": ["create_model", "list_models"],
        "recipes": ["CODE2012", "NETS", "PAPER", "RECIPES", "net_config", "recipe_named"],
    },
)
__all__ = ["__version__", *__all__]
