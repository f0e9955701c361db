"""Images, annotations, crops and targets."""
