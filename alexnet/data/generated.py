"""placeholder"""


def synthetic():
    raise NotImplementedError
