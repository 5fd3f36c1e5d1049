"""Make prepared sets of images, as ``alexnet data prepare`` does; `alexnet.data.prepared` opens them.

Nothing here needs torch until a set is finished, so that the processes that decode start quickly.
"""
