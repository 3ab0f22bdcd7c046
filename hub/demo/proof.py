"""Chapters 7 and 9: a signed report is verified without the hub, a forged line is found, and the books are audited."""

import json
import re
from pathlib import Path
from typing import Any

from rich.markup import escape

from hub.demo import documents
from hub.demo.client import Row
from hub.demo.failure import expect
from hub.demo.stage import Stage, columns

REPORT_OF = "NORTHBANK"
FACTS_MAX = 18
FACT_LENGTH_MAX = 80


async def verify_report(stage: Stage, window: Row) -> None:
    """Chapter 7: North Bank fetches its report, its lines and the public keys, and checks them by itself."""
    stage.chapter(
        7,
        "A report that proves itself",
        "Each institution gets a signed report. Whoever has it, its lines and the hub's public keys can recompute "
        "everything, without asking the hub.",
    )
    bank = stage.people[REPORT_OF]
    code = stage.code(REPORT_OF)
    report = await bank.ask(documents.SETTLEMENT_REPORT, windowId=window["id"], institution=code)
    expect(report is not None, f"{code} has no report of window {window['number']}.")
    hub = await bank.ask(documents.HUB)
    files = {
        "report.jws": str(report["jws"]).encode(),
        "lines.ndjson": await bank.fetch(report["linesUrl"]),
        "jwks.json": await bank.fetch(hub["jwksUrl"]),
    }
    forged = _forge(files["lines.ndjson"])
    _save(stage.folder, files | {"forged.ndjson": forged})
    _show_facts(stage, json.loads(report["payload"]))
    lines = files["lines.ndjson"].count(b"\n")
    stage.say(
        f"North Bank saves {', '.join(files)}, with {lines:,} lines behind the figures, in {escape(str(stage.folder))}"
    )
    expect(await _verify(stage, "lines.ndjson") == 0, "The hub's own report does not verify.")
    stage.good("The report is genuine and complete.")
    stage.say("\nNow one digit of one line is changed, and the report checked again:")
    expect(await _verify(stage, "forged.ndjson") != 0, "A forged line was not found.")
    stage.good("The forgery is found.")


async def audit(stage: Stage) -> None:
    """Chapter 9: the operator's audit rebuilds everything from the journal."""
    stage.chapter(
        9,
        "The audit",
        "The books are rebuilt from the rows alone: every balance, every hash of the chain, every sum.",
    )
    expect(await stage.command("audit", shown="audit") == 0, "The audit reports findings.")
    stage.good("The audit finds nothing wrong.")


async def _verify(stage: Stage, lines: str) -> int:
    paths = {name: str(stage.folder / name) for name in ("report.jws", lines, "jwks.json")}
    return await stage.command(
        "verify", paths["report.jws"], "--lines", paths[lines], "--jwks", paths["jwks.json"],
        shown=f"verify report.jws --lines {lines} --jwks jwks.json",
    )  # fmt: skip


def _forge(lines: bytes) -> bytes:
    """The lines with one digit of the middle one's amount made another; every other byte stays."""
    rows = lines.decode().splitlines(keepends=True)
    expect(bool(rows), "The report has no lines, although its institution acted.")
    middle = len(rows) // 2
    place = re.search(r'"amount":\s*"-?\d*?(\d)', rows[middle]) or re.search(r"(\d)(?=\D*$)", rows[middle])
    if place is None:
        expect(False, "A line of the report holds no figure.")
        return lines
    at = place.start(1)
    other = str((int(rows[middle][at]) + 1) % 10)
    rows[middle] = rows[middle][:at] + other + rows[middle][at + 1 :]
    return "".join(rows).encode()


def _save(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _show_facts(stage: Stage, payload: dict[str, Any]) -> None:
    table = columns("signed fact", "value", title=f"from {REPORT_OF}'s report")
    for name, value in list(_facts(payload))[:FACTS_MAX]:
        table.add_row(name, escape(value if len(value) <= FACT_LENGTH_MAX else value[: FACT_LENGTH_MAX - 3] + "..."))
    stage.show(table)


def _facts(payload: dict[str, Any], under: str = "") -> list[tuple[str, str]]:
    """The payload's plain values, one level deep; longer lists as their length."""
    facts: list[tuple[str, str]] = []
    for name, value in payload.items():
        if isinstance(value, dict) and not under:
            facts += _facts(value, f"{name}.")
        elif isinstance(value, dict | list):
            facts.append((under + name, f"{len(value)} entries" if len(value) != 1 else "1 entry"))
        else:
            facts.append((under + name, str(value)))
    return facts
