import io
import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.empirics.store.parquet_bounds import Bounds, ForeignParquetError, check_bounds, read_parquet

MOST = Bounds(n_values=1_000_000, n_bytes=10_000_000)
CODECS = ["zstd", "uncompressed", "snappy", "gzip", "lz4", "brotli"]


def written(columns: dict[str, object], compression: str = "zstd") -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer, compression=compression)  # type: ignore[arg-type]
    return buffer.getvalue()


BOMBS = {
    "a long list": lambda codec: written({"step": [[0.0] * 1_000_001]}, codec),
    "many rows": lambda codec: written({"step": pl.zeros(1_000_001, eager=True)}, codec),
    "many rows of nothing": lambda codec: written({"step": [None] * 1_000_001}, codec),
    "many columns": lambda codec: written({f"c{k}": [0.0] * 5000 for k in range(201)}, codec),
    "a long text": lambda codec: written({"run": ["x" * 10_000_001, "y"]}, codec),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_what_expands_is_refused_before_it_is_decoded(bomb: str, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = BOMBS[bomb](codec)
    monkeypatch.setattr(pl, "read_parquet", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(ForeignParquetError, match=r"it expands to more than (1000000 values|10 MB)"):
        read_parquet(data, MOST)


def test_three_kilobytes_may_hold_ten_million_numbers() -> None:
    data = written({"step": [[0.0] * 10_000_000]})
    assert len(data) < 5000
    with pytest.raises(ForeignParquetError, match="more than 1000000 values"):
        check_bounds(data, MOST)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_allowed_comes_back(codec: str) -> None:
    columns = {"a": [1, 2], "b": ["x", None], "c": [[0.5], []], "d": [{"e": [1]}, {"e": []}], "f": [True, False]}
    found = read_parquet(written(columns, codec), MOST)
    assert found.to_dict(as_series=False) == columns
    assert read_parquet(written(columns, codec), MOST, ["c"]).columns == ["c"]
    many = written({"a": pl.zeros(1_000_000, eager=True)}, codec)
    assert read_parquet(many, MOST).height == 1_000_000


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def zigzag(value: int) -> bytes:
    return varint(2 * value if value >= 0 else -2 * value - 1)


def fields(**values: bytes) -> bytes:
    """A struct in the compact protocol: ``i5`` is an integer as field 5, ``s3`` a struct, ``l2`` a list."""
    kinds = {"i": 6, "s": 12, "l": 9, "b": 8}
    return b"".join(bytes([kinds[key[0]]]) + zigzag(int(key[1:])) + value for key, value in values.items()) + b"\0"


def listed(items: list[bytes]) -> bytes:
    return bytes([0xFC]) + varint(len(items)) + b"".join(items)


def forged(*, rows: int, values: int, page_values: int, page_bytes: int, encoding: int = 0) -> bytes:
    """A file with one column of one page that says of itself what it likes."""
    page = fields(
        i1=zigzag(0), i2=zigzag(page_bytes), i3=zigzag(0), s5=fields(i1=zigzag(page_values), i2=zigzag(encoding))
    )
    chunk = fields(i5=zigzag(values), i6=zigzag(len(page)), i7=zigzag(len(page)), i9=zigzag(4))
    group = fields(l1=listed([fields(s3=chunk)]), i3=zigzag(rows))
    schema = [fields(b4=b"\x01r", i5=zigzag(1)), fields(i1=zigzag(5), b4=b"\x01s")]
    footer = fields(i1=zigzag(1), l2=listed(schema), i3=zigzag(rows), l4=listed([group]))
    return b"PAR1" + page + footer + struct.pack("<I", len(footer)) + b"PAR1"


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ({"rows": 2**60}, "more than 1000000 values"),
        ({"values": 2**40}, "more than 1000000 values"),
        ({"page_values": 2**31 - 1}, "more than 1000000 values"),
        ({"page_bytes": 2**31 - 1}, "more than 10 MB"),
        ({"encoding": 7}, "DELTA_BYTE_ARRAY"),
    ],
)
def test_headers_that_disagree_are_judged_by_the_largest(lie: dict[str, int], says: str) -> None:
    honest = {"rows": 1, "values": 1, "page_values": 1, "page_bytes": 8}
    check_bounds(forged(**honest), MOST)
    with pytest.raises(ForeignParquetError, match=says):
        check_bounds(forged(**honest | lie), MOST)


def test_deep_columns_and_large_footers_are_refused() -> None:
    elements = [fields(b4=b"\x01r", i5=zigzag(1)) for _ in range(100)]
    footer = fields(l2=listed(elements), i3=zigzag(0), l4=listed([]))
    with pytest.raises(ForeignParquetError, match="nested more than 16 deep"):
        check_bounds(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1", MOST)
    deep = b"\x1c" * 1000
    with pytest.raises(ForeignParquetError, match="nested too deep"):
        check_bounds(b"PAR1" + deep + struct.pack("<I", len(deep)) + b"PAR1", MOST)
    large = b"\0" * 4_000_001
    with pytest.raises(ForeignParquetError, match="footer has 4000001 bytes"):
        check_bounds(b"PAR1" + large + struct.pack("<I", len(large)) + b"PAR1", MOST)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"PAR1" + b"\xff" * 30 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(data: bytes) -> None:
    with pytest.raises(ForeignParquetError):
        read_parquet(data, MOST)


HONEST = written({"step": [0.0, 1.0, 2.0], "train_acc": [[0.1], [0.2, 0.3], []], "run": ["a", "b", "a"]})


def attempt(data: bytes) -> str:
    """What is said against a file; nothing where it can be read."""
    try:
        assert read_parquet(data, MOST).height <= MOST.n_values
    except ForeignParquetError as error:
        return str(error)
    return ""


@given(changes=st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_are_refused_or_read(changes: list[tuple[int, int]]) -> None:
    data = bytearray(HONEST)
    for place, byte in changes:
        data[place] = byte
    said = attempt(bytes(data))
    assert "\n" not in said


@given(data=st.binary(max_size=300))
def test_any_footer_is_refused_or_read(data: bytes) -> None:
    whole = b"PAR1" + data + struct.pack("<I", len(data)) + b"PAR1"
    assert "\n" not in attempt(whole)
