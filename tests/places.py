"""Where the checkout is, and the real files where there are any."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEQJAX_DATA_DIR") or ROOT.parent / "shared/data")
