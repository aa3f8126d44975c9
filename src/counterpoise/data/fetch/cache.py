"""The cache of raw files: where downloads lie, with a receipt beside each that says what it is and whence it came.

The folder is ``raw`` below ``--cache DIR``, else below ``$COUNTERPOISE_CACHE``, else
``$XDG_CACHE_HOME/counterpoise``, else ``~/.cache/counterpoise``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from counterpoise.core.errors import DataError, InputError, SourceMissingError
from counterpoise.core.storage import atomic_path
from counterpoise.data.fetch.addresses import Address
from counterpoise.data.fetch.download import Patience, download
from counterpoise.data.readers import sniff
from counterpoise.data.readers.peek import peek_at
from counterpoise.data.readers.provenance import digest

__all__ = ["CACHE_VARIABLE", "Cache", "Stored", "cache_folder"]

CACHE_VARIABLE = "COUNTERPOISE_CACHE"
_RECEIPT = ".receipt.json"


def cache_folder(argument: Path | str | None = None) -> Path:
    """Return the cache folder: the argument, else the environment, else the user's cache folder."""
    named = str(argument) if argument is not None else os.environ.get(CACHE_VARIABLE, "")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "counterpoise"


@dataclass(frozen=True, slots=True)
class Stored:
    """A raw file in the cache, as its receipt says.

    Attributes
    ----------
    name
        Name of its address, or its file name where a person added it.
    source, edition
        What it was recognised as; empty where it is of no known source.
    file, bytes, sha256
        File name, size and contents when it came.
    url, licence, vintage
        Of its address; empty where a person added it.
    fetched_at
        When it came, ISO, UTC.
    """

    name: str
    source: str
    edition: str
    file: str
    bytes: int
    sha256: str
    url: str
    licence: str
    vintage: str
    fetched_at: str


class Cache:
    """The raw files at hand.

    Parameters
    ----------
    folder
        See `cache_folder`.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = cache_folder(folder) / "raw"

    def stored(self) -> tuple[Stored, ...]:
        """Return the files with a receipt, by name.

        Raises
        ------
        DataError
            If a receipt cannot be read.
        """
        out: list[Stored] = []
        for path in sorted(self.folder.glob(f"*{_RECEIPT}")) if self.folder.is_dir() else []:
            try:
                out.append(Stored(**json.loads(path.read_text(encoding="utf-8"))))
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"the receipt {path} cannot be read ({error}); delete it and fetch the file again"
                ) from error
        return tuple(sorted(out, key=lambda s: s.name))

    def path(self, name: str) -> Path:
        """Return the path of a file by the name of its address or its own.

        Raises
        ------
        SourceMissingError
            If it is not in the cache.
        """
        for stored in self.stored():
            path = self.folder / stored.file
            if name in (stored.name, stored.file) and path.is_file():
                return path
        raise SourceMissingError(
            f"'{name}' is not in the cache at {self.folder}; fetch it with 'counterpoise data fetch {name}', or add a "
            "file you have with 'counterpoise data add FILE'"
        )

    def fetch(
        self,
        address: Address,
        *,
        offline: bool = False,
        again: bool = False,
        patience: Patience | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Stored:
        """Return the file of an address, downloaded where it is not at hand.

        Parameters
        ----------
        again
            Download it even where it is at hand; the one at hand stays until the new one is whole.

        Raises
        ------
        InputError
            If the publisher gives no direct address.
        DownloadError
            See `counterpoise.data.fetch.download.download`.
        DataError
            If the file at hand is not what its receipt says.
        """
        for stored in self.stored():
            if stored.name == address.name and (self.folder / stored.file).is_file() and not again:
                if faults := self._faults(stored):
                    raise DataError(f"{faults[0]}; fetch it again with --again")
                return stored
        if not address.url:
            raise InputError(
                f"{address.title} has no direct address; fetch it by hand from {address.page}, then "
                "'counterpoise data add FILE'"
            )
        target = self.folder / address.file
        received = download(
            address.url, target, sha256=address.sha256, size=address.bytes, offline=offline, patience=patience,
            check=_whole, progress=progress, page=address.page,
        )  # fmt: skip
        return self._receipt(
            target, address.name, received.url, address.licence, address.vintage, received.sha256, source=address.source
        )

    def add(self, path: Path | str, *, source: str | None = None, name: str | None = None) -> Stored:
        """Copy a file of the user into the cache, recognised; the file itself stays where it is.

        Parameters
        ----------
        source
            What it is, where it cannot be recognised.
        name
            Under which name; the file name by default.

        Raises
        ------
        SourceMissingError
            If there is no such file.
        DataError
            If it is cut off, or of no known source and ``source`` is not given.
        """
        given = Path(path)
        peek_at(given)
        found = sniff(given) if source is None else None
        target = self.folder / given.name
        if target.resolve() != given.resolve():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as temporary:
                shutil.copyfile(given, temporary)
        return self._receipt(
            target, name or given.name, "", "", "", digest(target),
            source=source or (found.source if found else ""), edition=found.edition if found else "",
        )  # fmt: skip

    def verify(self) -> tuple[str, ...]:
        """Return what is wrong with the files: missing, of another size, of other contents."""
        return tuple(fault for stored in self.stored() for fault in self._faults(stored))

    def _faults(self, stored: Stored) -> list[str]:
        path = self.folder / stored.file
        if not path.is_file():
            return [f"{stored.file} is missing from {self.folder}"]
        size = path.stat().st_size
        if size != stored.bytes:
            return [f"{stored.file} has {size:,} bytes; its receipt says {stored.bytes:,}"]
        found = digest(path)
        return (
            [f"{stored.file} has the SHA-256 {found}; its receipt says {stored.sha256}"]
            if found != stored.sha256
            else []
        )

    def _receipt(
        self,
        path: Path,
        name: str,
        url: str,
        licence: str,
        vintage: str,
        sha256: str,
        *,
        source: str,
        edition: str | None = None,
    ) -> Stored:
        if edition is None:
            found = sniff(path)
            source, edition = source or found.source, found.edition
        stored = Stored(
            name, source, edition, path.name, path.stat().st_size, sha256, url, licence, vintage,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        with atomic_path(path.with_name(path.name + _RECEIPT)) as temporary:
            temporary.write_text(json.dumps(asdict(stored), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return stored


def _whole(path: Path) -> None:
    """Check that a download is a whole file of a known source."""
    sniff(path)
