"""SQL that brings equal identifiers and what rows say of a person to equal text, before it is hashed. Pure."""
