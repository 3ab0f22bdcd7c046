"""``points-hub acceptance``: what an institution signs with its own key, where that key is. Needs no hub."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.shared import OPTIONS
from settlement import acceptance
from settlement.report import digest, read
from settlement.signing import MalformedJws, SigningKey, take_apart

commands = typer.Typer(**OPTIONS, help="Prove an institution's key, and accept its reports with it; needs no hub.")
Key = Annotated[Path, typer.Argument(help="The private Ed25519 key: PKCS#8 PEM or a JWK, for its owner's eyes only.")]


@commands.command()
def prove(
    key: Key,
    hub: Annotated[str, typer.Option(help="The hub's name, as `hub { name }` says it.")],
    institution: Annotated[str, typer.Option(help="The institution's code.")],
) -> None:
    """Write the public key with the proof that its owner holds it, for the mutation `registerAcceptanceKey`. A key is
    made with `openssl genpkey -algorithm ed25519 -out key.pem`.
    """
    signing = SigningKey.from_file(key)
    proof = acceptance.prove(signing, hub, institution)
    typer.echo(json.dumps({"institution": institution, "jwk": signing.public_jwk(), "proof": proof}))


@commands.command()
def sign(
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report: a JWS.")],
    key: Key,
) -> None:
    """Write an institution's acceptance of a report, for the mutation `acceptReport`. It verifies nothing: run
    `points-hub verify` first.
    """
    signing = SigningKey.from_file(key)
    try:
        payload = take_apart(report.read_bytes().decode("ascii", "replace").strip()).payload
        typer.echo(acceptance.accept(signing, read(payload), digest(payload)))
    except (MalformedJws, acceptance.NotGenuine) as error:
        raise typer.BadParameter(str(error), param_hint="REPORT") from None
