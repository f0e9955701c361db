"""Timing of networks: forward passes and training steps of variants, and of a naive implementation."""
