"""Four nights of the small retailer in a separate process, to be traced: one unchanged, the same reloaded, then two
without some syncs, which the trace reader must detect. Usage: traced_nights.py FOLDER"""

import sys
from datetime import timedelta
from pathlib import Path
from unittest import mock

from small_retailer import NIGHT, contract, settings_in, small_retailer

from onedata.landing import land
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.warehouse import open_warehouse


def nothing(*_: object) -> None:
    """A sync that does nothing."""


def main(folder: Path) -> None:
    with open_warehouse(settings_in(folder)) as con:
        survey = small_retailer(folder, con, Gatekeeper(con), contract(quarantineTolerance=0.5))

        def night(number: int, row: str, again: bool = False) -> None:
            day = NIGHT + timedelta(days=number)
            survey.csv(row, "B1,O1,9,,", night=day)
            land(con, survey.settings, survey.feed(), survey.retailer.policy, day, [day] if again else [])
            contract_gate(con, survey.gatekeeper, survey.settings, survey.feed(), day)
            (batch,) = promote(con, survey.settings)
            print(batch)  # noqa: T201

        night(0, "A0,O1,5,fine,")
        night(0, "A1,O1,5,fine,", again=True)
        with (
            mock.patch("onedata.ledger.promote.sync_file", nothing),
            mock.patch("onedata.ledger.manifest.sync_file", nothing),
        ):
            night(1, "A2,O1,5,fine,")
        with (
            mock.patch("onedata.ledger.promote.sync_folder", nothing),
            mock.patch("onedata.durable.sync_folder", nothing),
        ):
            night(2, "A3,O1,5,fine,")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
