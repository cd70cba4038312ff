"""A new feed: look at a sample file, match it with the canonical entities, write its contract, try it without touching
anything."""
