"""What a trained network is worth: errors, predictions, ensembles, neighbours (paper 6)."""
