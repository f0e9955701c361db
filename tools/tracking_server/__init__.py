"""A real MLflow server on PostgreSQL, disturbed while studies log to it."""
