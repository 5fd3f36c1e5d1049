"""AlexNet, executable: the network of Krizhevsky, Sutskever & Hinton (2012) and their paper's experiments.

::

    import alexnet
    net = alexnet.create_model("code2012", num_classes=10)
    alexnet.predict(alexnet.load_classifier("runs/default-paper-seed0"), ["image.jpg"])

What stands in ``__all__`` is imported when it is first asked for, so that the import alone, with which every
command begins, loads neither torch nor anything else.
"""

import lazy_loader

__version__ = "0.1.0"

TYPE_CHECKING = False  # true for type checkers, which know this name
if TYPE_CHECKING:  # they do not see through lazy_loader
    from alexnet import data as data
    from alexnet import distributed as distributed
    from alexnet import evaluation as evaluation
    from alexnet import experiments as experiments
    from alexnet import figures as figures
    from alexnet import functional as functional
    from alexnet import models as models
    from alexnet import optim as optim
    from alexnet import storage as storage
    from alexnet import training as training
    from alexnet import transforms as transforms
    from alexnet.config import AugmentConfig as AugmentConfig
    from alexnet.config import LearningConfig as LearningConfig
    from alexnet.config import NetConfig as NetConfig
    from alexnet.config import Recipe as Recipe
    from alexnet.evaluation.neighbours import nearest as nearest
    from alexnet.evaluation.prediction import load_classifier as load_classifier
    from alexnet.evaluation.prediction import predict as predict
    from alexnet.models.alexnet import AlexNet as AlexNet
    from alexnet.models.create import create_model as create_model
    from alexnet.models.create import list_models as list_models
    from alexnet.recipes import CODE2012 as CODE2012
    from alexnet.recipes import NETS as NETS
    from alexnet.recipes import PAPER as PAPER
    from alexnet.recipes import RECIPES as RECIPES
    from alexnet.recipes import net_config as net_config
    from alexnet.recipes import recipe_named as recipe_named

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
