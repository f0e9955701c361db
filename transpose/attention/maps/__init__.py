"""Attention maps of a model: captured, placed on the crop, and stored. They need no evaluation."""
