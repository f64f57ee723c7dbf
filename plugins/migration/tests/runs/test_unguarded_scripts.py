from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import isthmus
from isthmus_migration import Migration
from secrets import token_hex

folder = {folder!r}
source = f"sqlite:///{{folder}}/source.db"
with isthmus.connect(source) as database:
    database.table("things", partition_key="id").ensure().put({{"id": "a"}})
Migration.plan(source, f"sqlite:///{{folder}}/target.db", workdir=f"{{folder}}/{{token_hex(4)}}").run(workers=1)
"""


def test_a_script_without_a_guard_ends_and_says_what_it_needs(tmp_path: Path) -> None:
    """Its worker processes run the script again, and must not wait for workers of their own."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path)))
    ended = subprocess.run(
        [sys.executable, str(script)], timeout=60, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert ended.returncode == 1
    assert 'needs `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]
