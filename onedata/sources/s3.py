"""Objects of an S3-compatible store, listed and streamed with Arrow's client.

Credentials follow AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role; the region is
AWS_REGION or AWS_DEFAULT_REGION. Contracts contain no credentials.
"""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import fs

from onedata.contracts.model import ObjectStore
from onedata.sources.base import WILD, Offer, SourceError, in_order, name_pattern, night_of

SCHEME = "s3://"
BLOCK = 1 << 20
CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 10, 60, 3


def object_offers(location: str, store: ObjectStore, night: date) -> Iterator[Offer]:
    """Objects whose key matches, for `night` or earlier, from one listing below the part of the key before any
    wildcard.

    Raises:
        SourceError: the store cannot be reached, refuses the credentials, or has no such bucket.
    """
    path = location.removeprefix(SCHEME)
    names, folder = name_pattern(path), WILD.split(path)[0].rpartition("/")[0]
    try:
        client = _client(store)
        listed = client.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
        if not listed and client.get_file_info(folder.partition("/")[0]).type == fs.FileType.NotFound:
            raise FileNotFoundError("there is no such bucket")
    except OSError as error:
        raise _failed(store, f"listing {SCHEME}{folder}", error) from None
    found = []
    for info in listed:
        match = names.fullmatch(info.path)
        ds = night_of(match, night) if match and info.type == fs.FileType.File else None
        if ds is not None and ds <= night:
            found.append(Offer(ds, SCHEME + info.path, info.size, info.mtime_ns or 0))
    yield from in_order(found)


def download(store: ObjectStore, offer: Offer, target: Path) -> None:
    """Stream one object into a file; memory use is one block.

    Raises:
        SourceError: the object no longer exists or the stream is interrupted.
    """
    try:
        with (
            _client(store).open_input_stream(offer.name.removeprefix(SCHEME), compression=None) as stream,
            target.open("wb") as file,
        ):
            while block := stream.read(BLOCK):
                file.write(block)
    except OSError as error:
        raise _failed(store, f"reading {offer.name}", error) from None
    if target.stat().st_size != offer.size:
        raise SourceError(
            f"server {store.server}: {offer.name} changed while it was read; it is taken again by the next run."
        )


def _client(store: ObjectStore) -> fs.S3FileSystem:
    url = urlsplit(store.endpoint or "")
    region = (
        os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or ("us-east-1" if store.endpoint else None)
    )
    return fs.S3FileSystem(
        endpoint_override=url.netloc or None,
        scheme=url.scheme or "https",
        region=region,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def _failed(store: ObjectStore, doing: str, error: OSError) -> SourceError:
    where = f"server {store.server} ({store.endpoint or 'Amazon S3'})"
    return SourceError(
        f"{where}: {doing} failed: {error}. Check endpointUrl and location in the contract, AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) in the environment, and that the bucket may be listed and read."
    )
