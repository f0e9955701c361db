"""A real MLflow server on PostgreSQL, disturbed while studies log to it."""

import os

# MLflow reads them when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
