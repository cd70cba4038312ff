"""Fixtures that extend the undisturbed home: each is that home after one more run that must change nothing."""

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from corrections import CORRECTED, correct_orders, correct_rate, correct_spend, withdraw_order
from support import NIGHTS, Simulated, Story, copy_source, home_at, run_well, story

REDELIVERED = "shop/orders/orders_{ds}.jsonl"


@pytest.fixture(scope="session")
def backfill(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same three nights in one run."""
    settings = home_at(tmp_path_factory.mktemp("backfill"), simulated.source)
    return story(settings, "backfill", run_well(settings, NIGHTS, each_night=False))


@pytest.fixture(scope="session")
def again(one_by_one: Story) -> Story:
    """The last night once more, with nothing new."""
    return story(one_by_one.settings, "again", run_well(one_by_one.settings, NIGHTS[-1:]))


@pytest.fixture(scope="session")
def redelivered(again: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A night after the last, whose only file is the first night's orders under that night's name."""
    source = copy_source(again.settings.source, tmp_path_factory.mktemp("redelivered") / "source")
    night = NIGHTS[-1] + timedelta(days=1)
    shutil.copy2(source / REDELIVERED.format(ds=NIGHTS[0]), source / REDELIVERED.format(ds=night))
    settings = replace(again.settings, source=source)
    return story(settings, "redelivered", run_well(settings, [night]))


@pytest.fixture(scope="session")
def empty(redelivered: Story) -> Story:
    """A night without any file."""
    return story(redelivered.settings, "empty", run_well(redelivered.settings, [NIGHTS[-1] + timedelta(days=2)]))


@pytest.fixture(scope="session")
def corrected(empty: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A night whose files are late or correct what came before (told in `corrections`), in a copy of the home: its lake
    grows."""
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copytree(
        empty.settings.home, folder / "home", symlinks=True, ignore=shutil.ignore_patterns("dagster", "dbt")
    )
    settings = replace(
        empty.settings, home=folder / "home", source=copy_source(empty.settings.source, folder / "source")
    )
    correct_orders(settings.source)
    correct_spend(settings.source)
    correct_rate(settings.source)
    return story(settings, "corrected", run_well(settings, [CORRECTED]))


@pytest.fixture(scope="session")
def rebuilt(corrected: Story) -> Story:
    """DIM and DWD rebuilt from the whole lake."""
    return story(corrected.settings, "rebuilt", run_well(corrected.settings, [CORRECTED], full_refresh=True))


@pytest.fixture(scope="session")
def replaced(rebuilt: Story) -> Story:
    """The first night taken anew, after an order was taken out of its file; in a home that was corrected before."""
    withdraw_order(rebuilt.settings.source)
    return story(rebuilt.settings, "replaced", run_well(rebuilt.settings, [NIGHTS[0]], replace_nights=True))
