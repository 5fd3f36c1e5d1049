"""The folder `data/` of the repository, shipped as `alexnet._data`: records of runs, trained networks."""
