"""The committed figures of the model card are what its command makes from the public purchases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAMED = os.environ.get("CARNET_CDNOW_DIR")
FOLDERS = [Path(NAMED)] if NAMED else [ROOT / ".carnet/data/cdnow", ROOT.parent / "shared/data/cdnow"]

if not any((folder / "CDNOW_master.txt").is_file() for folder in FOLDERS):
    pytest.skip("the model card is not checked: CDNOW_master.txt not found", allow_module_level=True)


def test_the_model_card_says_what_its_command_makes() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "bench" / "model_quality.py", "--check"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
