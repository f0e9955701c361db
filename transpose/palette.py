"""Colours of series in figures and of runs in MLflow."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Colour-blind safe palette of Okabe and Ito, without yellow, which is too pale for lines."""
