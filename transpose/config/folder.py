"""The folder of variants, data sets and tables: of a clone, or of this package."""

from pathlib import Path

CONFIG = Path("config")
"""Default folder, in a clone."""

_PACKAGED = Path(__file__).parents[1] / "packaged_config"


def config_folder(folder: Path = CONFIG) -> Path:
    """Return the folder, or that in this package if it is the default one and missing, as outside of a clone."""
    return _PACKAGED if folder == CONFIG and not folder.is_dir() else folder
