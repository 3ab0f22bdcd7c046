"""Paths: where in a JSON document something stands, as ``a.b.0`` or as a JSON pointer (RFC 6901) such as ``/a/b/0``."""

import re
from typing import Any

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def steps(path: str) -> list[str]:
    """The names on the way.

    Raises:
        ValueError: it is no path.
    """
    if path.startswith("/"):
        if re.search(r"~(?![01])", path):
            raise ValueError("in a JSON pointer ~ is followed by 0 or 1")
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    if not path or "" in path.split("."):
        raise ValueError("a path is names with dots between, or a JSON pointer")
    return path.split(".")


def find(document: object, path: str | None) -> Any:
    """What stands there; None if nothing does, or null, or if there is no path."""
    if path is None:
        return None
    found: Any = document
    for step in steps(path):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and _INDEX.fullmatch(step) and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
