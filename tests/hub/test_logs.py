"""What the logs show of a failure, and what they do not."""

import subprocess
import sys

import pytest

FAILING = """
import structlog
from hub import logs

logs.configure("INFO", development={development})

def act(secret):
    raise RuntimeError("it failed")

try:
    act("pass" + "word-1")
except RuntimeError:
    structlog.get_logger().exception("failed")
"""


@pytest.mark.parametrize("development", [True, False])
def test_a_traceback_shows_where_it_failed_and_no_values(development: bool) -> None:
    program = FAILING.format(development=development)
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert "it failed" in shown
    assert "in act" in shown
    assert "password-1" not in shown
