"""Webhooks: what happened at the hub, told to institutions' own servers after the Standard Webhooks specification.

The journal is the outbox: a follower (``following``) makes events (``events``, of ``acts`` and of the ``scheme``) of
what committed batches hold (``taken``), once for each endpoint (``endpoints``), in a table from which every process
takes what is due (``deliveries``, ``delivering``) and sends it (``sender``) to addresses that are anybody's to reach
(``addresses``). What is not taken in is sent again for three days (``retries``).
"""
