"""SQL that normalises identifiers and personal attributes, so that equal ones become equal text before hashing.
Pure."""
