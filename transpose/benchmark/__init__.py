"""How fast each part is on this machine, beside a plain form of the same part."""
