"""Fault injection: kill processes of a study repeatedly and compare its results with those of an undisturbed run."""
