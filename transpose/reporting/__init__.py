"""Tables and figures of results, next to the published figures."""
