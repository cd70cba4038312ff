"""The spool: a feed's folder for fetched, unpacked or converted files of one landing."""

import re
import shutil
from pathlib import Path


class Spool:
    """Names the files of one landing; `clear` removes them all, including those left by a killed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, name: str) -> Path:
        """A unique path; `name` only helps a person to identify the file."""
        if self._count == 0:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._count += 1
        return self.folder / f"{self._count}-{re.sub('[^A-Za-z0-9.-]', '_', name)[-60:]}"
