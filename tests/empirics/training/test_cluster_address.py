import socket

import pytest

from dcrit.empirics.training.cluster_address import check_address


def test_what_listens_is_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address(f"127.0.0.1:{server.getsockname()[1]}")
    check_address("auto")


def test_what_does_not_listen_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ValueError, match=rf"^address must be 'auto' or host:port .* got '127.0.0.1:{port}': .*refused"):
        check_address(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address",
    [
        *("", ":", "local", "127.0.0.1", "127.0.0.1:", ":6379", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1"),
        *("ray://127.0.0.1:6379", "127.0.0.1:٣", "127.0.0.1:6379 ", "AUTO"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"^address must be 'auto' or host:port .*: it is neither$"):
        check_address(address)


@pytest.mark.parametrize("host", ["a\0b", "." * 70, "x" * 300, "ü" * 100])
def test_a_host_that_cannot_be_one_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"^address must be "):
        check_address(f"{host}:6379")
