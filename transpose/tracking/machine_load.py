"""Log the machine's load during a training, with MLflow's monitor."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

_THREAD = "SystemMetricsMonitor"
"""Name of the monitor's thread."""


class MachineLoad:
    """Load of processors, memory, disk, network and GPU as metrics `system/...` of a run."""

    def __init__(self) -> None:
        self._monitor: SystemMetricsMonitor | None = None

    def watch(self, uri: str, run_id: str) -> None:
        """Start the monitor unless it runs: it ends when a request fails, and a system may forbid its readings."""
        from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get() or _is_running():
            return
        try:
            self._monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=uri)
            self._monitor.start()
        except Exception:  # psutil and the drivers of GPUs have many
            self._monitor = None

    def stop(self) -> None:
        """Log what was measured, and end the monitor."""
        if self._monitor is not None:
            self._monitor.finish()


def _is_running() -> bool:
    return any(thread.name == _THREAD for thread in threading.enumerate())
