"""Addresses of clusters: whether one can be, and whether anything answers there, before anything heavy is loaded."""

from __future__ import annotations

import socket

from dcrit.theory.checks import FieldError

#: How long an address may take to answer [s]; clients of clusters try for minutes.
TIMEOUT = 5.0

#: What stands for the cluster that was last started on this machine.
AUTO = "auto"


def check_address(address: str) -> None:
    """Refuse an address that is none, or at which nothing listens.

    Args:
        address: ``host:port`` or ``auto``, of which nothing can be said yet.

    Raises:
        ValueError: It is neither, or no connection is made in time.
    """
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise refusal(address, "it is neither")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:  # a name that cannot be encoded is a ValueError
        raise refusal(address, str(error)) from error


def refusal(address: str, reason: str) -> FieldError:
    """The error of an address that cannot be used.

    Args:
        address: As it was given.
        reason: Why not.
    """
    return FieldError(
        "address",
        "be 'auto' or host:port of a running Ray cluster that this machine is a node of",
        repr(address),
        why=reason,
    )
