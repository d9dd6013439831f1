import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.empirics.curves import foreign_parquet
from dcrit.empirics.curves.foreign_parquet import ForeignParquetError, read_parquet

pytestmark = pytest.mark.processes


def written(columns: dict[str, object], **options: object) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_what_is_allowed_comes_back() -> None:
    columns = {"a": [1, 2], "b": ["x", None], "c": [[0.5], []], "d": [{"e": [1]}, {"e": []}], "f": [True, False]}
    found = read_parquet(written(columns))
    assert found.to_dict(as_series=False) == columns
    assert found.schema == pl.DataFrame(columns).schema
    assert read_parquet(written({"a": pl.zeros(1_000_000, eager=True)})).height == 1_000_000


BOMBS = {
    "a long list": ({"step": pl.zeros(20_000_001, eager=True).implode()}, "it expands to more than 20000000 values"),
    "many rows": ({"step": pl.zeros(20_000_001, eager=True)}, "it expands to more than 20000000 values"),
    "many columns": ({f"c{k}": [0.0] for k in range(10_001)}, "it has more than 10000 columns"),
    "a long text": ({"run": ["x" * 256_000_001, "y"]}, "it expands to more than 256 MB"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_expands_to_too_much_is_refused(bomb: str) -> None:
    columns, said = BOMBS[bomb]
    with pytest.raises(ForeignParquetError, match=f"^{said}$"):
        read_parquet(written(columns))


def test_a_reader_that_needs_too_much_memory_ends_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = written({"step": pl.zeros(40_000_000, eager=True).implode()})
    assert len(data) < 1_000_000
    monkeypatch.setattr(foreign_parquet, "MEMORY", 1_400_000_000)
    with pytest.raises(ForeignParquetError, match=r"^its reader ended with code -?\d+: it is damaged, or"):
        read_parquet(data)
    assert capfd.readouterr() == ("", "")
    assert read_parquet(written({"step": [0.0, 1.0]})).height == 2


def test_a_reader_that_does_not_come_back_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_parquet, "SECONDS", 0.25)
    monkeypatch.setattr(foreign_parquet, "__file__", "-c")
    monkeypatch.setattr(foreign_parquet, "MEMORY", "import time; time.sleep(600)")
    with pytest.raises(ForeignParquetError, match=r"^its reader took more than 0\.5 s$"):
        read_parquet(b"PAR1")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"PAR1" + b"\xff" * 30 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(data: bytes) -> None:
    with pytest.raises(ForeignParquetError):
        read_parquet(data)


HONEST = written({"step": [0.0, 1.0, 2.0], "train_acc": [[0.1], [0.2, 0.3], []], "run": ["a", "b", "a"]})


@settings(max_examples=15, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_are_refused_or_read(changes: list[tuple[int, int]]) -> None:
    data = bytearray(HONEST)
    for place, byte in changes:
        data[place] = byte
    said = ""
    try:
        assert read_parquet(bytes(data)).height <= foreign_parquet.MOST_VALUES
    except ForeignParquetError as error:
        said = str(error)
    assert "\n" not in said
