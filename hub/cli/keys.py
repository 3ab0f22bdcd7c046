"""``points-hub keys``: the key that signs settlement reports."""

import typer

from hub.cli.shared import OPTIONS, chosen_settings
from settlement import signing
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS, help="The key that signs settlement reports.")


@commands.command("rotate")
def rotate() -> None:
    """Replace the signing key in the data folder. The old key's public half stays, so that what it signed can be
    verified for ever; its private half is destroyed. A running server signs with the new key from its next report on.
    """
    keys = Keys.of(chosen_settings())
    if keys.text is not None:
        raise signing.SigningError("it comes from HUB_SIGNING_KEY; change it there")
    old = signing.SigningKey.from_file(keys.folder / signing.CURRENT)
    new = signing.rotate(keys.folder)
    typer.echo(f"Reports are signed with {new.kid} from now on; {old.kid} is kept for verification.")
