"""TransPose (arXiv 2012.14214): train, evaluate, explain and compare models of human poses.

import transpose
model = transpose.load("results/train/r_sine/seed0")
poses = model.predict("photo.jpg", boxes=[[20, 15, 50, 90]])
poses.keypoints["left_wrist"]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transpose.export.model import ExportedModel, load_exported
    from transpose.inference.poses import Poses
    from transpose.model_sources import load
    from transpose.pose_model import AttentionMaps, PoseModel
    from transpose.several_models import predict_with_each
    from transpose.skeleton import COCO_PERSON, Skeleton

__version__ = "0.1.0"

__all__ = [
    "COCO_PERSON",
    "AttentionMaps",
    "ExportedModel",
    "PoseModel",
    "Poses",
    "Skeleton",
    "__version__",
    "load",
    "load_exported",
    "predict_with_each",
]

# Imported on first use, so that `transpose --help` and the tables do not load torch.
_MODULES = {
    "AttentionMaps": "pose_model",
    "COCO_PERSON": "skeleton",
    "ExportedModel": "export.model",
    "PoseModel": "pose_model",
    "Poses": "inference.poses",
    "Skeleton": "skeleton",
    "load": "model_sources",
    "load_exported": "export.model",
    "predict_with_each": "several_models",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
