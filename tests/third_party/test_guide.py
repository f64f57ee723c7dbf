"""The backend that the guide grows passes the kit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-backend.md"


def _guide() -> dict[str, Any]:
    """The names that the guide's blocks define when they are run in order."""
    names: dict[str, Any] = {"__name__": __name__}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        exec(block, names)
    return names


TestDict = _guide()["TestDict"]
TestDict.share = 0.3
