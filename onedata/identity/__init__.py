"""OneID: recognise one person behind the identifiers of every channel, and keep that person's id from night to night.

A run reads the new deliveries' evidence (`take_in`), marks what it touches (`region`), decides who is one person
(`decide`), keeps ids stable (`assign`) and applies decisions of operators (`decisions`). Source:
docs/reference/identity.md.
"""

from onedata.identity.resolve import Resolution, resolve

__all__ = ["Resolution", "resolve"]
