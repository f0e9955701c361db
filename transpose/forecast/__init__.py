"""Forecast of the cost of a study's jobs, from the models themselves and a cache that spares dry runs torch."""
