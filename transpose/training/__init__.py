"""Training: loss, learning rate, resumable loop and checkpoints."""
