"""The commands of ``alexnet``, one module each; what a command needs is imported when it runs."""

CHECKPOINT = (  # what both `evaluate` and `predict` take
    "a run's folder, or a file in it; a file of torchvision's weights, or of others for its AlexNet; or the "
    "word torchvision, which finds these in torch's cache"
)
