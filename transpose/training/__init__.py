"""From samples to weights: the loss, the learning rate, the resumable loop and its checkpoints."""
