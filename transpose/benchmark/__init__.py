"""Benchmarks of each part of the pipeline against a naive implementation."""
