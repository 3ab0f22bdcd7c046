"""The registry: how institutions, credentials, point currencies, rates and limits are configured.

Each file decides the commands of one noun, purely, like the ledger's acts: it reads the book and writes the noun's next
value into a draft. The nouns themselves, and what they mean, are in the core's files of the same names.
"""
