"""An independent model of the hub's core, in exact fractions, from the architecture's text.

It shares nothing with the code that decides: no function of ``hub`` is called in this folder. For each act it says
which reasons there are to refuse it (whoever refuses may name any of them), and if there is none, what comes of it.
"""

from tests.properties.model.pools import Pools


class Model(Pools):
    """All of it: who owes whom, what customers have, the limits on it, and each kind of act on top of these."""
