"""No notice is sent to an address that is not public, whatever a name resolves to."""

from __future__ import annotations

import httpx
import pytest

from shared.notices.addresses import PublicResolver, UnsafeAddress, is_public, select_addresses
from shared.notices.connection import create_notice_client
from shared.notices.models import NoticeRequest, OutcomeKind
from shared.notices.sender import send_notices
from shared.tencent.resolver import Resolver
from tests.helpers.notices import (
    NOW_S,
    OK,
    FixedResolver,
    build_notice,
    build_target,
    run_receiver,
)

ANY = "0.0.0.0"  # noqa: S104 - nothing listens there
HOSTILE = (
    *(ANY, "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.1.2.3", "169.254.0.23", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.170", "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.0.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255"),
)
HOSTILE_IPV6 = (
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
    *("2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1", "fec0::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1", "100::1", "2600::1"),
)
UNUSUAL = (
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    " 127.0.0.1",
    "",
    "a",
    "1.2.3.4.5",
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "169.255.0.1", "172.15.255.255", "172.32.0.1", "191.255.255.255"),
    *("192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1", "223.255.255.255"),
)


@pytest.mark.parametrize("address", HOSTILE + HOSTILE_IPV6 + UNUSUAL)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_beside_a_closed_network_is_accepted(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", HOSTILE + HOSTILE_IPV6)
def test_name_with_a_hostile_address_is_not_connected_to(address: str) -> None:
    client = create_notice_client(resolver=FixedResolver([address]))
    outcome = send_notices(client, build_target(), [build_notice()], NOW_S)
    assert outcome.kind is OutcomeKind.FAILED
    assert "nothing was sent" in outcome.reason


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::1]"]
)
def test_loopback_by_any_spelling_is_not_connected_to(host: str) -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        target = build_target(url=f"https://{host}:{receiver.port}/")
        outcome = send_notices(create_notice_client(), target, [build_notice()], NOW_S)
        assert outcome.kind is OutcomeKind.FAILED
        assert receiver.accepted == 0


def test_one_private_address_beside_a_public_one_refuses_the_name() -> None:
    with pytest.raises(UnsafeAddress, match=r"hooks.example.com has the address 10.0.0.5"):
        select_addresses("hooks.example.com", ["8.8.8.8", "10.0.0.5"])


def test_ipv6_addresses_are_left_out() -> None:
    assert select_addresses("hooks.example.com", ["2600::1", "8.8.8.8"]) == ["8.8.8.8"]
    with pytest.raises(UnsafeAddress, match="no IPv4 address"):
        select_addresses("hooks.example.com", ["2600::1"])


def test_name_is_resolved_once_and_connected_to_what_was_checked() -> None:
    """The second answer, which a rebinding name would give to the connection, is never asked for."""
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        resolver = FixedResolver(["127.0.0.1"], ["10.0.0.1"])
        client = create_notice_client(allows_loopback=True, resolver=resolver)
        target = build_target(url=f"https://hooks.example.com:{receiver.port}/")
        outcome = send_notices(client, target, [build_notice()], NOW_S)
        assert outcome.kind is OutcomeKind.FAILED  # the receiver has no TLS
        assert resolver.names == ["hooks.example.com"]
        assert receiver.accepted == 1
        assert b"hooks.example.com" in receiver.first_bytes[0]  # the name in TLS, not the address


def test_name_that_changes_to_a_private_address_is_refused_then() -> None:
    resolver = PublicResolver(FixedResolver(["8.8.8.8"], ["169.254.0.23"]))
    assert resolver.resolve("hooks.example.com", 443, 1.0) == ["8.8.8.8"]
    with pytest.raises(UnsafeAddress):
        resolver.resolve("hooks.example.com", 443, 1.0)


def test_loopback_is_allowed_for_the_local_cloud_only() -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        target = build_target(url=f"http://127.0.0.1:{receiver.port}/")
        refused = send_notices(create_notice_client(), target, [build_notice()], NOW_S)
        assert (refused.kind, receiver.accepted) == (OutcomeKind.FAILED, 0)
        client = create_notice_client(allows_loopback=True)
        assert send_notices(client, target, [build_notice()], NOW_S).kind is OutcomeKind.DELIVERED
        assert receiver.requests[0].headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.0.23", "::1", ANY])
def test_local_cloud_allows_nothing_else(address: str) -> None:
    assert not is_public(address, allows_loopback=True)


def test_plain_http_is_refused_before_the_name_is_resolved() -> None:
    resolver = FixedResolver(["8.8.8.8"])
    client = create_notice_client(allows_loopback=True, resolver=resolver)
    outcome = send_notices(client, build_target(url="http://hooks.example.com/"), [build_notice()], NOW_S)
    assert outcome.kind is OutcomeKind.FAILED
    assert resolver.names == []


def test_outcomes_of_connections_are_passed_to_the_resolver() -> None:
    resolver = Resolver()
    public = PublicResolver(resolver)
    public.note_failure("8.8.8.8")
    assert "8.8.8.8" in resolver._failed
    public.note_success("8.8.8.8")
    assert "8.8.8.8" not in resolver._failed


def test_requests_show_no_secrets() -> None:
    request = NoticeRequest("https://hooks.example.com/very-secret", {"a": "very-secret"}, b"very-secret")
    assert "very-secret" not in repr(request)
    assert isinstance(httpx.UnsupportedProtocol("x"), httpx.TransportError)  # so the sender reports it
