"""AlexNet, executable: the network of Krizhevsky, Sutskever & Hinton (2012) and their paper's experiments."""

__version__ = "0.1.0"
