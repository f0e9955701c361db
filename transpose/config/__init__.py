"""Pydantic models that are the one source of configuration, its defaults, its documentation and its JSON Schema."""
