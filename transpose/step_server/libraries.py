"""What most steps import, for copies of the server. Only speed depends on this list.

Not SQLAlchemy: a copy that has imported it has opened a database, which its end closes.
"""

import cv2  # noqa: F401
import matplotlib.figure  # noqa: F401
import pycocotools.cocoeval  # noqa: F401
import scipy.stats  # noqa: F401
import torch  # noqa: F401

import transpose.attention.body_part_report
import transpose.cli
import transpose.evaluation.prediction_file
import transpose.evaluation.report
import transpose.reporting.compare  # with pandas
import transpose.reporting.study_errors  # noqa: F401
from transpose.tracking.connection import import_mlflow

import_mlflow()
