"""A whole study killed again and again, and held to what it makes when nobody kills it."""
