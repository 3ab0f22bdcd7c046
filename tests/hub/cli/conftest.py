"""What the tests of commands share."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from hub.settings import settings
from tests.hub.cli.here import Here


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """This process, put back to what it was afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    root = logging.getLogger()
    before = structlog.get_config(), list(root.handlers), root.level
    yield Here(tmp_path / "hub", monkeypatch, capsys)
    settings.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    structlog.configure(**before[0])
    root.handlers[:], root.level = before[1], before[2]
