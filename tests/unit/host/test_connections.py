"""The storage connections of triggers, as Azure's settings say them."""

import pytest

from local.host.connections import Connection, connection
from local.host.settings import HostError

QUEUES = "https://stcmg.queue.core.windows.net"


def test_a_connection_is_found_under_both_of_its_names() -> None:
    environment = {"AzureWebJobsFirst": "AccountName=first", "Second": "UseDevelopmentStorage=true"}
    assert connection("First", environment).connection_string == "AccountName=first"
    for missing in ("Second", "Third"):
        with pytest.raises(HostError, match=missing):
            connection(missing, environment)


@pytest.mark.parametrize("prefix", ["CmgStorage", "AzureWebJobsCmgStorage"])
def test_by_identity_it_names_the_services_and_whose_identity(prefix: str) -> None:
    given = {
        f"{prefix}__queueServiceUri": QUEUES,
        f"{prefix}__credential": "managedidentity",
        f"{prefix}__clientId": "me",
    }
    assert connection("CmgStorage", given) == Connection(queue_service=QUEUES, client_id="me")


def test_the_hosts_own_account_may_be_given_by_its_name() -> None:
    found = connection("AzureWebJobsStorage", {"AzureWebJobsStorage__accountName": "stcmg"})
    assert found == Connection(queue_service=QUEUES, blob_service="https://stcmg.blob.core.windows.net")


def test_an_address_goes_before_the_accounts_name() -> None:
    given = {"AzureWebJobsStorage__accountName": "stcmg", "AzureWebJobsStorage__queueServiceUri": "https://127.0.0.1/q"}
    assert connection("AzureWebJobsStorage", given).queue_service == "https://127.0.0.1/q"


def test_a_connection_string_goes_before_an_identity() -> None:
    given = {"CmgStorage": "AccountName=first", "CmgStorage__queueServiceUri": QUEUES}
    assert connection("CmgStorage", given) == Connection(connection_string="AccountName=first")


def test_a_credential_that_is_no_managed_identity_is_refused() -> None:
    with pytest.raises(HostError, match="managedidentity"):
        connection("CmgStorage", {"CmgStorage__queueServiceUri": QUEUES, "CmgStorage__credential": "workloadidentity"})


def test_a_connection_string_is_not_shown() -> None:
    assert "AccountKey" not in repr(connection("First", {"First": "AccountKey=secret"}))
