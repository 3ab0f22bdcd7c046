"""``pytest tests/simulation --seed N`` runs one history."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="run this one history of the simulation")
