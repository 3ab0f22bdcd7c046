"""A partner to try against: a points programme of its own behind its own HTTP interface, which misbehaves when asked.

It is a program beside the hub and shares nothing with it but the words of the port: members with balances, orders,
holds, a journal and callbacks are in a file of its own. What a partner's engineer reads here is what the hub expects.
"""
