"""Records that wait on disk until all of their batch are judged, so that memory holds a few of them only."""

from collections.abc import Iterator, Mapping
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from include.records import Record


class Spool:
    """A file without a name that is gone when it is closed. Times lose what MongoDB does not keep of them."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 (closed with the spool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Record]:
        """Read all records again, in their order; nothing may be added meanwhile."""
        from bson import decode_file_iter
        from bson.codec_options import CodecOptions

        self._file.seek(0)
        options: CodecOptions[Record] = CodecOptions(tz_aware=True)
        yield from decode_file_iter(self._file, options)

    def add(self, record: Mapping[str, Any]) -> None:
        """Put one more record at the end."""
        from bson import encode

        self._file.write(encode(record))
