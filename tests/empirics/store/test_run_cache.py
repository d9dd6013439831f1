from pathlib import Path

from dcrit.empirics.store.store import RunCache


def test_the_file_used_longest_ago_goes_first() -> None:
    cache: RunCache[int] = RunCache(30)
    paths = [Path(name) for name in "abcd"]
    for number, path in enumerate(paths[:3]):
        cache.add(path, {"run": number}, 10)
    assert cache.get(paths[0]) == {"run": 0}
    cache.add(paths[3], {"run": 3}, 10)
    assert [cache.get(path) for path in paths] == [{"run": 0}, None, {"run": 2}, {"run": 3}]


def test_a_file_that_is_too_large_stays_until_the_next() -> None:
    cache: RunCache[int] = RunCache(30)
    small, large = Path("small"), Path("large")
    cache.add(small, {"run": 0}, 10)
    cache.add(large, {"run": 1}, 100)
    assert (cache.get(small), cache.get(large)) == (None, {"run": 1})
    cache.add(small, {"run": 0}, 10)
    assert (cache.get(small), cache.get(large)) == ({"run": 0}, None)


def test_a_file_that_is_read_again_counts_once() -> None:
    cache: RunCache[int] = RunCache(30)
    first, second = Path("first"), Path("second")
    cache.add(first, {}, 10)
    for _ in range(5):
        cache.add(second, {}, 20)
    assert cache.get(first) == {}
