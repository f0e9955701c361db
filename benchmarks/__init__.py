"""Benchmarks of the stages around the network, and the plain implementations that they are compared with."""
