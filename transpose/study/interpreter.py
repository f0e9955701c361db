"""The interpreter that rules' commands run in."""

import os
import sys
from pathlib import Path


def use_this_interpreter() -> None:
    """Let rules' commands run in the interpreter that runs the workflow, even if its environment is not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
