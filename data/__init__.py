"""The folder `data/` of the repository, shipped as `alexnet._data`: the records of measured runs."""
