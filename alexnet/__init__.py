"""AlexNet, executable: the network of Krizhevsky, Sutskever & Hinton (2012), and the experiments of their paper."""

__version__ = "0.1.0"
