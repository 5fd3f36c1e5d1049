"""Options and texts that several commands share."""

CHECKPOINT = (  # what both `evaluate` and `predict` take
    "a run's folder, or a file in it; a file of torchvision's weights, or of others for its AlexNet; or the "
    "word torchvision, which finds these in torch's cache"
)
