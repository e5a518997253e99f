"""Counting storage transactions in the access log."""

import pytest

from local.dev.azurite import count_transactions, service_of


@pytest.mark.parametrize(
    ("method", "target", "service"),
    [
        ("GET", "cmg-preflight/messages?numofmessages=16&visibilitytimeout=600", "queue"),
        ("POST", "cmg-preflight/messages?messagettl=-1", "queue"),
        ("DELETE", "cmg-preflight/messages/4d2b?popreceipt=x(1)", "queue"),
        ("PUT", "cmg-preflight", "queue"),
        ("GET", "cmg-preflight?comp=metadata", "queue"),
        ("POST", "$batch", "table"),
        ("POST", "Tables", "table"),
        ("POST", "cmgledger", "table"),
        ("GET", "cmgledger(PartitionKey='07',RowKey='r:1')", "table"),
        ("GET", "cmgledger()?$filter=x", "table"),
        ("PUT", "azure-webjobs-hosts?restype=container", "blob"),
        ("PUT", "azure-webjobs-hosts/locks/a/b?comp=lease", "blob"),
    ],
)
def test_the_service_of_a_request(method: str, target: str, service: str) -> None:
    assert service_of(method, target) == service


def test_the_first_creation_of_a_queue_or_the_table_is_setup_and_no_other() -> None:
    requests = ("PUT /cmglocal/cmg-cut-over", "POST /cmglocal/Tables", "PUT /cmglocal/cmg-cut-over")
    log = "".join(f'127.0.0.1 - - [date] "{request} HTTP/1.1" 201 -\n' for request in requests)
    assert count_transactions(log) == {"setup": 2, "queue": 1}


def test_only_requests_of_the_account_are_counted() -> None:
    log = """\
Azurite Queue service is successfully listening at http://127.0.0.1:10001
127.0.0.1 - - [23/Nov/2026:17:30:00 +0000] "POST /cmglocal/$batch HTTP/1.1" 202 -
127.0.0.1 - - [23/Nov/2026:17:30:00 +0000] "GET /cmglocal/q/messages?peekonly=true HTTP/1.1" 200 -
127.0.0.1 - - [23/Nov/2026:17:30:00 +0000] "GET /other/q/messages HTTP/1.1" 403 -
"""
    assert count_transactions(log) == {"table": 1, "queue": 1}
