"""Forecast of a study's cost from its configuration, without building models, fast enough for dry runs."""
