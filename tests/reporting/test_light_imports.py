"""Tables are made of files: their verbs do not wait for libraries that only networks and statistics need."""

import subprocess
import sys
from collections.abc import Iterable

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


def test_the_comparison_does_without_networks_and_statistics() -> None:
    assert not {"torch", "scipy", "mlflow"} & loaded_with(["study"])


def test_a_table_does_not_import_the_others() -> None:
    assert not {f"transpose.reporting.{table}" for table in (*TABLES, "study")} & loaded_with(["write_table"])


@pytest.fixture(scope="module")
def loaded_by_tables() -> frozenset[str]:
    return loaded_with(TABLES)


def loaded_with(modules: Iterable[str]) -> frozenset[str]:
    """Every module that importing some of `transpose.reporting` brings in, in a fresh process."""
    imports = "; ".join(f"import transpose.reporting.{module}" for module in modules)
    command = [sys.executable, "-c", f"{imports}; import sys; print(*sys.modules)"]
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
