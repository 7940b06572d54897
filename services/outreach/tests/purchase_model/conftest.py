"""The CDNOW sample, read once; the tests that need it are skipped, with one line, where it is not."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parents[4]
FILE = "CDNOW_sample.txt"


@dataclass(frozen=True)
class Purchases:
    client: npt.NDArray[np.int64]
    day: npt.NDArray[np.datetime64]
    amount: npt.NDArray[np.float64]


@pytest.fixture(scope="session")
def cdnow() -> Purchases:
    named = os.environ.get("CARNET_CDNOW_DIR")
    folders = [Path(named)] if named else [ROOT / ".carnet/data/cdnow", ROOT.parent / "shared/data/cdnow"]
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        pytest.skip(
            f"published CDNOW figures not checked: {FILE} not found; set CARNET_CDNOW_DIR to a folder that "
            "holds it (the data folder of the public Lifetimes package does), or put it in .carnet/data/cdnow"
        )
    rows = np.loadtxt(path, dtype=str)
    stamp = rows[:, 2]
    return Purchases(
        client=rows[:, 1].astype(np.int64),
        day=np.array([f"{s[:4]}-{s[4:6]}-{s[6:]}" for s in stamp], dtype="datetime64[D]"),
        amount=rows[:, 4].astype(np.float64),
    )
