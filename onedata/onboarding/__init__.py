"""Onboarding of a feed: sniff a sample file, match it with the canonical entities, write its contract, dry-run it."""
