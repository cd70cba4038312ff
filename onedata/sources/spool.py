"""The spool: a feed's folder for what is fetched, unpacked or turned into another form, for one landing only."""

import re
import shutil
from pathlib import Path


class Spool:
    """Names files of one landing; `clear` removes them all, also those a killed run left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, name: str) -> Path:
        """A path nobody else has; `name` only helps a person to see what it is."""
        if self._count == 0:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._count += 1
        return self.folder / f"{self._count}-{re.sub('[^A-Za-z0-9.-]', '_', name)[-60:]}"
