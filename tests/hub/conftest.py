"""What the tests of programs share."""

import pytest

from tests.hub.programs import Pattern, run


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    """A hub that was set up and is not running."""
    folder = tmp_path_factory.mktemp("pattern") / "hub"
    done = run(folder, "init", "--json", "--person", "first")
    assert done.returncode == 0, done.stderr
    return Pattern(folder, done.stdout)
