"""The rows of one feed in a batch of XML records: a stylesheet extracts them as text, Arrow splits it into columns."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from onedata.contracts.model import Feed
from onedata.readers.xml_paths import FIELD_END, PRESENT, columns, stylesheet
from onedata.readers.xml_stream import Batch


class FeedRows:
    """Extracts a feed's rows from the batches of one file, in file order, and numbers them.

    `added` are the fields that the contract does not know and that are kept; `number` is the last row's.
    """

    def __init__(self, feed: Feed, added: Sequence[str]) -> None:
        self.schema = pa.schema([("_row", pa.int64()), *((name, pa.string()) for name in columns(feed, added))])
        self.number = 0
        self._sheets = {True: stylesheet(feed, "one namespace", added), False: stylesheet(feed, "any namespace", added)}

    def take(self, batch: Batch) -> pa.RecordBatch:
        """The rows of the next batch.

        Raises:
            etree.XSLTApplyError: `FLOOD`, the rows of one record would be too many bytes.
        """
        fields = _split(bytes(self._sheets[batch.one_namespace](batch.root)), len(self.schema) - 1)
        first, self.number = self.number + 1, self.number + len(fields[0])
        return pa.RecordBatch.from_arrays([pa.arange(first, self.number + 1), *fields], schema=self.schema)


def _split(text: bytes, width: int) -> list[pa.Array]:
    """Split the stylesheet's text into `width` columns."""
    cells = pc.split_pattern(pa.array([text], pa.string()), FIELD_END).flatten()[:-1]
    table = pa.FixedSizeListArray.from_arrays(cells, width)
    fields = [pc.list_element(table, index) for index in range(width)]
    return [
        pc.if_else(pc.equal(field, ""), pa.scalar(None, pa.string()), pc.ascii_ltrim(field, PRESENT))
        for field in fields
    ]
