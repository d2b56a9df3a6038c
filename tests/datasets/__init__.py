"""Public data sets as envelopes, for the tests that send real input through the service.

The data lies outside the project; tests that need it skip, saying so, where it is absent.
"""

import os
from pathlib import Path

import pytest

VARIABLE = "B25_DATA"
PROJECT = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """The folder of all data sets: what B25_DATA says, or `../shared/data` beside the project."""
    return Path(os.environ.get(VARIABLE) or PROJECT.parent / "shared" / "data")


def folder_of(name: str) -> Path:
    """The folder of one data set; skips the test where it is not."""
    folder = data_folder() / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not in {data_folder()}; {VARIABLE} names another folder")
    return folder
