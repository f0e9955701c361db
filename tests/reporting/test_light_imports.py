"""Tables are made of files: their verbs do not wait for libraries that only networks and statistics need."""

import subprocess
import sys

import pytest

TABLES = (
    "protocol_ablation",
    "resolutions",
    "dtypes",
    "attention_statistics",
    "faithfulness",
    "attention_ablation",
    "body_parts",
    "claim_table",
)


@pytest.mark.parametrize("library", ["torch", "scipy", "mlflow", "cv2"])
def test_tables_do_without(library: str, loaded_by_tables: frozenset[str]) -> None:
    assert "transpose.reporting.claim_table" in loaded_by_tables
    assert library not in loaded_by_tables


@pytest.fixture(scope="module")
def loaded_by_tables() -> frozenset[str]:
    """Every module that importing the tables' own modules brings in, in a fresh process."""
    imports = "; ".join(f"import transpose.reporting.{table}" for table in TABLES)
    command = [sys.executable, "-c", f"{imports}; import sys; print(*sys.modules)"]
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
