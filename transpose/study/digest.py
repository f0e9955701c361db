"""Digests of configuration values, which rules rerun by."""

import hashlib
import json


def digest_of(values: object) -> str:
    """First 12 hexadecimal digits of the SHA-256 of JSON values; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
