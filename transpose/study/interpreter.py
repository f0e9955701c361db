"""Python interpreter of the workflow's commands."""

import os
import sys
from pathlib import Path


def use_this_interpreter() -> None:
    """Put the workflow's interpreter first in PATH for its commands, even if its environment is not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
