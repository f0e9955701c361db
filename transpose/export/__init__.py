"""Export a pose model to one file, and predict with such files without PyTorch."""
