"""The bytes of a delimited file, many whole lines at a time."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from io import BufferedReader

from tools.records.files.opening import UNREADABLE

LONGEST_LINE = 1_000_000
_LEAST_BYTES = 1 << 22
_MOST_BYTES = 4 * LONGEST_LINE  # of the longest line, as a character takes four at most
_BYTES_AT_ONCE = 1 << 18


class Blocks:
    """The first line, then about 4 MB of lines at a time; only a last line may lack its end, or be cut.

    Args:
        stream: of `open_bytes`.

    Attributes:
        is_damaged: whether the stream broke off; the line that it broke off in is not given.
    """

    def __init__(self, stream: BufferedReader) -> None:
        self.is_damaged = False
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        blocks = self._blocks()
        first = next(blocks, b"").removeprefix(BOM_UTF8)
        end = first.find(b"\n") + 1 or len(first)
        yield from filter(None, (first[:end], first[end:]))
        yield from blocks

    def _blocks(self) -> Iterator[bytes]:
        held, size, least = list[bytes](), 0, len(BOM_UTF8)
        for piece in self._pieces():
            held.append(piece)
            size += len(piece)
            if size < least:
                continue
            block = b"".join(held)
            end = _end_of_lines(block)
            if end or size >= _MOST_BYTES:
                yield block[: end or size]
                block, least = block[end or size :], _LEAST_BYTES
            held, size = [block], len(block)
        block = b"".join(held)
        block = block[: _end_of_lines(block)] if self.is_damaged else block
        if block:
            yield block

    def _pieces(self) -> Iterator[bytes]:
        try:
            # A longer read would lose what it had got when it raises.
            while piece := self._stream.read1(_BYTES_AT_ONCE):
                yield piece
        except UNREADABLE:
            self.is_damaged = True


def _end_of_lines(block: bytes) -> int:
    """Where the last line that has its end ends; a carriage return may be half of one at the end."""
    return block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
