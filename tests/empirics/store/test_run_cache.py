from pathlib import Path

from dcrit.empirics.store.store import Kept, kept_files


def test_the_file_used_longest_ago_goes_first() -> None:
    cache = kept_files(30)
    paths = [Path(name) for name in "abcd"]
    for number, path in enumerate(paths[:3]):
        cache[path] = Kept({"run": number}, 10)
    assert cache.get(paths[0]) == ({"run": 0}, 10)
    cache[paths[3]] = Kept({"run": 3}, 10)
    assert [path for path in paths if path in cache] == [paths[0], paths[2], paths[3]]


def test_a_file_that_is_too_large_stays_until_the_next() -> None:
    cache = kept_files(30)
    small, large = Path("small"), Path("large")
    cache[small] = Kept({"run": 0}, 10)
    cache[large] = Kept({"run": 1}, 100)
    assert (cache.get(small), cache.get(large)) == (None, ({"run": 1}, 100))
    cache[small] = Kept({"run": 0}, 10)
    assert (cache.get(small), cache.get(large)) == (({"run": 0}, 10), None)


def test_a_file_that_is_read_again_counts_once() -> None:
    cache = kept_files(30)
    first, second = Path("first"), Path("second")
    cache[first] = Kept({}, 10)
    for _ in range(5):
        cache[second] = Kept({}, 20)
    assert first in cache
