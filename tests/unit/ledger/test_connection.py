"""The storage account is named in one of two ways, and its secrets stay out of sight."""

import pytest

from cmg_core.ledger.connection import StorageConnection


def test_one_way_is_wanted() -> None:
    with pytest.raises(ValueError, match="CmgStorage"):
        StorageConnection()
    with pytest.raises(ValueError, match="CmgStorage"):
        StorageConnection(
            table_service="https://a.table.core.windows.net", queue_service="https://a.queue.core.windows.net"
        )


def test_a_connection_string_is_not_shown() -> None:
    assert "c2VjcmV0" not in repr(StorageConnection("AccountName=a;AccountKey=c2VjcmV0"))
