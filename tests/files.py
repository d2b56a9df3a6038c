"""Where the public data sets are that some tests read; those tests skip where they are not."""

import os
from pathlib import Path

import pytest

from tests.processes import ROOT


def data_set(name: str) -> Path:
    """The folder of one data set: below DATASETS_DIR, or `shared/data` beside the checkout."""
    folder = Path(os.environ.get("DATASETS_DIR") or ROOT.parent / "shared" / "data") / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not here: DATASETS_DIR says where it is")
    return folder
