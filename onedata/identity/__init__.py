"""OneID: recognise one person behind the identifiers of every channel, and keep that person's id from night to night.

First cut: deterministic linking over strong identifiers with a limit per kind (data_contracts/identifiers.yaml). Weak identifiers,
name-checked bridges and scoring come later (shared/reference/identity.md); the tables leave room for them.
"""

from onedata.identity.resolve import Resolution, resolve

__all__ = ["Resolution", "resolve"]
