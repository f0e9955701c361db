"""Pydantic models of the configuration: keys, defaults, documentation and JSON Schema."""
