"""Defects that the gate tests inject, and their observations."""

from dataclasses import dataclass

from support import NIGHTS, Outcome, Story

ORDERS = f"shop/orders/orders_{NIGHTS[1]}.jsonl"
INVENTORY = f"logistics/inventory/inventory_{NIGHTS[1]}.parquet"
LEAK = "jane.doe@example.com"


@dataclass(frozen=True)
class Closed:
    """The home after a run whose gate closed, the hash of what analysts saw before and after, and the status page."""

    story: Story
    published_before: str
    published_after: str
    status: str

    @property
    def outcome(self) -> Outcome:
        return self.story.outcome
