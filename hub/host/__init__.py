"""The host: what the hub's own machine does beside the server, without a key and on record as the person ``host``.

Its commands go through the same engine as everybody's. The host's credential is made with the hub and has no secret,
so it cannot be presented; whoever can start programs on this machine could read the database anyway. All begin at
``door``; what they do is in ``runs``, ``windows``, ``balances`` and ``keys``.
"""
