"""MLflow runs this file when it loads a logged model ("models from code")."""

from mlflow.models import set_model

from transpose.tracking.served_model import ServedModel

set_model(ServedModel())
