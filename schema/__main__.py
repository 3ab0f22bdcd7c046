"""``python -m schema``: the API's SDL."""

import sys

from schema.api import sdl

sys.stdout.write(sdl())
