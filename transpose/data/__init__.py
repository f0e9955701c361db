"""Pictures, annotations, crops and targets."""
