"""Make prepared sets of images, as ``alexnet data prepare`` does; `alexnet.data.prepared` opens them.

The processes that decode start quickly, as nothing that `alexnet.data.prepare.workers` imports needs torch.
"""
