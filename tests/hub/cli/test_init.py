"""Setting up on the command line: the first key is shown, or there is no hub."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.hub.cli.here import says_why
from tests.hub.cli.test_output import redirected
from tests.hub.programs import PROGRAM, environment, run


@pytest.mark.parametrize("to", ["> /dev/full", "| true; exit ${PIPESTATUS[0]}"])
def test_a_key_that_cannot_be_shown_makes_no_hub(tmp_path: Path, to: str) -> None:
    folder = tmp_path / "hub"
    says_why(redirected(folder, to, "init", "--json"), "The first key could not be written to the output, so no hub")
    assert json.loads(run(folder, "init", "--json").stdout)["institution"] == "HUB"


def test_the_key_is_shown_before_anything_can_come_between(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    process = subprocess.Popen(
        [*PROGRAM, "init", "--json"], env=environment(folder), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["institution"] == "HUB"
    assert (folder / "postgres" / "postmaster.pid").exists()  # the database was not stopped yet
    assert process.wait(60) == 0
    process.stdout.close()


def test_a_second_run_does_not_claim_that_the_first_key_was_seen(tmp_path: Path) -> None:
    run(tmp_path / "hub", "init")
    says_why(run(tmp_path / "hub", "init"), "is set up already, and its first key is kept nowhere")
