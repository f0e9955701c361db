"""TransPose (arXiv 2012.14214) as a data-set-and-evaluation pipeline."""

__version__ = "0.1.0"
