"""Which network addresses a notice may be sent to: public ones only.

An address comes from a setting, but the name in it belongs to someone else, who can let it lead into a private network
or to the metadata service of the cloud, which hands out credentials. So a name is resolved once, every address is
checked, and the connection is made to a checked address.

IPv4 only: several forms of IPv6 contain an IPv4 address that nothing checks (6to4, NAT64, mapped, compatible).
Python's `ipaddress.is_global` is not used: until 3.13 it accepts multicast, 192.0.0.0/24 and others.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from shared.messages import message
from shared.tencent.resolver import AddressResolver

LOOPBACK = ("127.0.0.0", 8)
# IANA's special-purpose addresses (RFC 6890 and its registry), and the networks of multicast.
_CLOSED_NETWORKS = (
    ("0.0.0.0", 8),  # noqa: S104 - this network
    ("10.0.0.0", 8),  # private
    ("100.64.0.0", 10),  # shared, also used inside clouds: Alibaba's metadata service is 100.100.100.200
    LOOPBACK,
    ("169.254.0.0", 16),  # link-local; the metadata service of Tencent Cloud is 169.254.0.23
    ("172.16.0.0", 12),  # private
    ("192.0.0.0", 24),  # protocol assignments
    ("192.0.2.0", 24),  # documentation
    ("192.88.99.0", 24),  # 6to4 relays
    ("192.168.0.0", 16),  # private
    ("198.18.0.0", 15),  # benchmarks
    ("198.51.100.0", 24),  # documentation
    ("203.0.113.0", 24),  # documentation
    ("224.0.0.0", 3),  # multicast, reserved, broadcast
)


class UnsafeAddress(OSError):
    """A name has an address that no notice may be sent to. Nothing was sent."""


class PublicResolver:
    """Resolves names to public IPv4 addresses only. Loopback addresses count as public with `allows_loopback`."""

    def __init__(self, resolver: AddressResolver, *, allows_loopback: bool = False) -> None:
        self._resolver = resolver
        self._allows_loopback = allows_loopback

    def resolve(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Return the host's IPv4 addresses. Raises UnsafeAddress if one is not public, or if there is none.

        Also raises what the other resolver raises.
        """
        addresses = self._resolver.resolve(host, port, timeout_s)
        return select_addresses(host, addresses, allows_loopback=self._allows_loopback)

    def note_failure(self, address: str) -> None:
        """Remember that an address does not respond."""
        self._resolver.note_failure(address)

    def note_success(self, address: str) -> None:
        """Remember that an address responds."""
        self._resolver.note_success(address)


def select_addresses(host: str, addresses: Sequence[str], *, allows_loopback: bool = False) -> list[str]:
    """Return the IPv4 addresses. Raises UnsafeAddress if there is none, or if one of them is not public.

    A name with a public and a private address is not a mistake of its owner but an attempt to get past a check.
    """
    selected = [address for address in addresses if _parse(address) is not None]
    if not selected:
        raise UnsafeAddress(message("{host} has no IPv4 address; nothing was sent", host=host))
    for address in selected:
        if not is_public(address, allows_loopback=allows_loopback):
            raise UnsafeAddress(
                message(
                    "{host} has the address {address}, which is not a public one; nothing was sent",
                    host=host,
                    address=address,
                )
            )
    return selected


def is_public(address: str, *, allows_loopback: bool = False) -> bool:
    """Check whether an address is IPv4 in its usual form, and public."""
    number = _parse(address)
    if number is None:
        return False
    if allows_loopback and _is_in_network(number, *LOOPBACK):
        return True
    return not any(_is_in_network(number, *network) for network in _CLOSED_NETWORKS)


def is_loopback_host(host: str) -> bool:
    """Check whether the host of an address is this machine, by its usual name or by number."""
    return host == "localhost" or (host.startswith("127.") and _parse(host) is not None)


def _parse(address: str) -> int | None:
    """Return the address as a number; None for anything but four decimal numbers."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    except (OSError, ValueError):
        return None


def _is_in_network(number: int, network: str, prefix_length: int) -> bool:
    start = _parse(network)
    return start is not None and (number ^ start) >> (32 - prefix_length) == 0
