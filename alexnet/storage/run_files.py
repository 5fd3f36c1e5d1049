"""The names of the files in a run's folder."""

CHECKPOINTS = "checkpoints"  # the folder of them
LOCK, STARTED, STOP = "lock", "started", "stop"
RECORD = "run.json"
SETTINGS = "settings.json"
WEIGHTS = "weights.pt"
