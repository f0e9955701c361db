"""Digests of configuration values; a changed digest makes a rule run again."""

import hashlib
import json


def digest_of(values: object) -> str:
    """Compute 12 hexadecimal digits of the SHA-256 of JSON values; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
