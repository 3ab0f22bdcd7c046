"""The command line: real programs on real folders; what they say, and the code with which they end."""

import asyncio
import json
import re
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer.main
from typer.testing import CliRunner

from hub import ids
from hub.cli import app
from hub.migrate import newest
from hub.postgres import OWNER, SERVER, Server
from tests.hub.cli.here import Here, says_why
from tests.hub.programs import PROGRAM, SOON_S_MAX, Pattern, environment, is_gone, run, until

WORDS = [
    [], ["init"], ["migrate"], ["serve"], ["demo"], ["audit"], ["verify"], ["expire"], ["clear"], ["relocation"],
    ["window"], ["window", "close"], ["render"], ["keys"], ["keys", "rotate"], ["keys", "revoke"], ["keys", "reseal"],
    ["simulator"], ["bill"], ["reconcile"], ["adapters"], ["adapters", "check"], ["adapters", "list"],
    ["relocation", "list"], ["relocation", "compare"], ["relocation", "move"],
    ["acceptance"], ["acceptance", "prove"], ["acceptance", "sign"], ["window", "confirm"], ["window", "sign"],
]  # fmt: skip


def test_init_tells_scripts_the_first_key_and_nothing_else(pattern: Pattern) -> None:
    told = json.loads(pattern.told)
    assert pattern.told.count("\n") == 1
    assert list(told) == ["institution", "credentialId", "secret"]
    assert told["institution"] == "HUB"
    assert ids.number(told["credentialId"], ids.CREDENTIAL) is not None
    assert re.fullmatch(r"phk_[A-Za-z0-9_-]{43}", told["secret"])


def test_init_refuses_a_second_run(pattern: Pattern) -> None:
    says_why(run(pattern.folder, "init", "--json"), "is set up already")


def test_init_shows_people_the_key_and_what_comes_next(tmp_path: Path) -> None:
    done = run(tmp_path / "hub", "init", "--name", "Our Hub")
    assert done.returncode == 0
    assert "Our Hub is set up" in done.stdout
    assert len(re.findall(r"phk_[A-Za-z0-9_-]{43}", done.stdout)) == 1
    assert "points-hub serve" in done.stdout


def test_a_day_that_cannot_be_reconciled_is_explained(pattern: Pattern, tmp_path: Path) -> None:
    words = ("reconcile", "--currency", "NONE", "--day")
    says_why(run(pattern.folder, *words, "2026-01-01"), "do not fit together.*currency=NONE")
    wrong = run(pattern.folder, *words, "yesterday")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "yesterday is no day" in wrong.stderr
    assert run(pattern.folder, *words, "2026-01-01", "--file", str(tmp_path / "none.csv")).returncode == 2


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_help_teaches(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_every_command_has_its_help_tested() -> None:
    def leaves(command: Any, words: tuple[str, ...]) -> set[tuple[str, ...]]:
        below = command.list_commands(None) if hasattr(command, "list_commands") else []
        return {words}.union(*(leaves(command.get_command(None, name), (*words, name)) for name in below))

    assert leaves(typer.main.get_command(app), ()) == {tuple(words) for words in WORDS}


def test_what_has_not_ended_is_not_expired(pattern: Pattern) -> None:
    says_why(run(pattern.folder, "expire", "--as-of", "2999-01-01"), "still to come")
    wrong = run(pattern.folder, "expire", "--as-of", "tomorrow")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "tomorrow is no instant" in wrong.stderr


def test_a_month_is_billed_once_and_not_before_it_is_over(pattern: Pattern) -> None:
    assert json.loads(run(pattern.folder, "bill", "--json").stdout) == {"periods": [], "invoices": []}
    says_why(run(pattern.folder, "bill", "--period", "2999-01"), "2999-01")
    wrong = run(pattern.folder, "bill", "--period", "2026-1")
    assert (wrong.returncode, "2026-11" in wrong.stderr) == (2, True)
    done = run(pattern.folder, "bill", "--period", "2026-01")
    assert done.stdout == "0 invoices for 2026-01.\n"
    says_why(run(pattern.folder, "bill", "--period", "2026-01"), "already")


def test_nothing_to_expire_or_clear(pattern: Pattern) -> None:
    done = run(pattern.folder, "expire")
    assert (done.returncode, done.stdout) == (0, "Nothing was due.\n")
    told = run(pattern.folder, "expire", "--as-of", "2026-01-01T00:00+08:00", "--json")
    assert json.loads(told.stdout) == {"expired": [], "notices": 0}
    says_why(run(pattern.folder, "clear", "NONE"), "No currency has this code")
    both = run(pattern.folder, "clear", "NONE", "--all", "--earned-before", "2025-01-01")
    assert both.returncode == 2


def test_help_lists_the_exit_codes() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert "Exit codes: 0 done" in text


def test_a_wrong_call_ends_with_2(here: Here) -> None:
    assert here.run("serve", "--port", "x").returncode == 2
    assert here.run("verify", "absent", "--lines", "absent", "--jwks", "absent").returncode == 2
    assert here.run("nonsense").returncode == 2
    assert not here.folder.exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"HUB_QUEUE_COMMANDS": "many"}, "HUB_QUEUE_COMMANDS cannot be 'many': "),
        ({"HUB_ORIGINS": "a b"}, "HUB_ORIGINS cannot be read: a list is written in JSON"),
        ({"HUB_BILLING_ZONE": "Mars"}, "HUB_BILLING_ZONE"),
        ({"HUB_LOG_LEVEL": "LOUD"}, "HUB_LOG_LEVEL is 'LOUD'"),
        ({"HUB_DATABASE_URL": "mysql://u:hidden@h/x"}, "begins with postgresql://"),
        ({"HUB_DATABASE_URL": "hidden"}, "begins with postgresql://"),
        ({"HUB_DATABASE_URL": "postgresql://u:hidden@127.0.0.1:abc/x"}, "HUB_DATABASE_URL is no URL of a database"),
        ({"HUB_DATABASE_URL": "postgresql://a/b", "HUB_DATABASE_OWNER_URL": "hidden"}, "HUB_DATABASE_OWNER_URL is no"),
        ({}, "run 'points-hub init' first"),
    ],
)
def test_what_is_wrong_with_the_settings_is_said_in_a_sentence(here: Here, more: dict[str, str], sentence: str) -> None:
    done = here.run("migrate", **more)
    says_why(done, re.escape(sentence))
    assert "hidden" not in done.stderr
    assert not here.folder.exists()


@pytest.mark.parametrize("name", ["HUB_SIGNING_KEY", "HUB_SIGNING_JWKS", "HUB_SECRETS_KEY"])
def test_a_malformed_key_is_named_before_anything_is_served(pattern: Pattern, tmp_path: Path, name: str) -> None:
    folder = pattern.copy(tmp_path / "hub")
    done = run(folder, "serve", "--port", "0", **{name: "hidden"})
    says_why(done, name)
    assert "hidden" not in done.stderr


@pytest.mark.parametrize("name", ["two\nlines", "\udcff"])
def test_a_data_folder_whose_name_cannot_be_is_not_made(here: Here, tmp_path: Path, name: str) -> None:
    says_why(here.run("init", HUB_DATA_DIR=str(tmp_path / name)), "The data folder's name cannot be used")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_reached_is_said_so_without_its_password(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "audit", HUB_DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/x")
    says_why(done, "The database cannot be used: ")
    assert "hidden" not in done.stderr


def test_a_foreign_folder_is_left_alone(here: Here) -> None:
    here.folder.mkdir()
    (here.folder / "letter.txt").write_text("mine")
    for command in ("init", "migrate", "serve", "audit"):
        says_why(here.run(command, *(("--port", "0") if command == "serve" else ())), "was not touched")
    assert [path.name for path in here.folder.iterdir()] == ["letter.txt"]


async def test_any_postgres_will_do_and_its_schema_is_migrated_on_demand_only(
    postgres_server: Server, superuser: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    await superuser.execute(f"CREATE DATABASE elsewhere OWNER {OWNER}")
    urls = {
        name: postgres_server.url(role, "elsewhere").replace("postgresql+asyncpg", "postgres")
        for name, role in (("HUB_DATABASE_URL", SERVER), ("HUB_DATABASE_OWNER_URL", OWNER))
    }

    async def command(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(partial(run, tmp_path / "hub", *words, **urls))

    says_why(await command("serve", "--port", "0"), "run 'points-hub init' first")
    assert (await command("init", "--json")).returncode == 0
    owner = await asyncpg.connect(urls["HUB_DATABASE_OWNER_URL"])
    await owner.execute("UPDATE alembic_version SET version_num = '0000'")
    says_why(await command("serve", "--port", "0"), "schema is 0000, .* run 'points-hub migrate'")
    await owner.execute("UPDATE alembic_version SET version_num = $1", newest())
    await owner.close()
    assert (await command("audit")).returncode == 0
    assert not (tmp_path / "hub" / "postgres").exists()
    await superuser.execute("DROP DATABASE elsewhere WITH (FORCE)")


def test_asked_to_end_a_command_stops_the_database_on_its_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    process = subprocess.Popen([*PROGRAM, "init"], env=environment(folder), stdout=subprocess.DEVNULL)
    pid_file = folder / "postgres" / "postmaster.pid"
    assert until(lambda: pid_file.exists() and pid_file.read_text().count("\n") > 5, 30)
    database = int(pid_file.read_text().split()[0])
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert until(lambda: is_gone(database), SOON_S_MAX)
