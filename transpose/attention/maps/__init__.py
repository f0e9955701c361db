"""Attention maps of a model: capture, mapping to crop pixels, and storage."""
