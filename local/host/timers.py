"""Timer triggers: fires a function by its schedule, in one of several hosts, and makes up for a missed run.

Source: "Timer trigger for Azure Functions"; blob names and the status document are those of the WebJobs SDK's
StorageScheduleMonitor and of its singleton listener. All of it lies in the account AzureWebJobsStorage.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure_functions_runtime.bindings.datumdef import Datum

from local.host.ncrontab import Schedule
from local.host.settings import Singleton
from local.host.worker import Function, invoke

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient

log = logging.getLogger("local.host")

CONTAINER: Final = "azure-webjobs-hosts"
MONITORED_FROM: Final = timedelta(minutes=1)
NEVER: Final = "0001-01-01T00:00:00"
LEASES: Final = uuid.UUID("6f0a4c1e-52b7-4bb4-a1a5-0f5f0c1f3c55")


@dataclass(frozen=True)
class Status:
    """What is stored of a timer, in UTC."""

    last: datetime | None
    next: datetime

    def document(self, now: datetime) -> dict[str, str]:
        last = NEVER if self.last is None else self.last.isoformat()
        return {"Last": last, "Next": self.next.isoformat(), "LastUpdated": now.isoformat()}


class TimerListener:
    """Serves one timer-triggered function until it is stopped.

    The lease's ID follows from the host's port: a host that starts again after a crash has its own lock at once, while
    another host has to wait until the lease runs out.
    """

    def __init__(
        self,
        function: Function,
        schedule: Schedule,
        blobs: "BlobServiceClient",
        host_id: str,
        port: int,
        singleton: Singleton,
        timeout: timedelta | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._container = blobs.get_container_client(CONTAINER)
        self._status = self._container.get_blob_client(f"timers/{host_id}/{function.name}/status")
        self._lock = self._container.get_blob_client(f"locks/{host_id}/{function.name}.Listener")
        self._lease_id = str(uuid.uuid5(LEASES, f"{host_id}/{function.name}/{port}"))
        self._singleton = singleton
        self._timeout = timeout
        self._clock = clock
        self._stopping = asyncio.Event()
        self._run: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Waits for the lock, then fires until `stop` or until the lock is lost, then waits again."""
        while not self._stopping.is_set():
            lease = await self._acquire()
            if lease is None:
                await self._pause(self._singleton.listener_lock_recovery_polling_interval.total_seconds())
                continue
            tasks = [asyncio.create_task(self._fire_by_schedule()), asyncio.create_task(self._keep(lease))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._run is not None:
                await asyncio.wait([self._run])
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("timer %s begins anew: %s", self._function.name, outcome)
                    await self._pause(1)
            with suppress(AzureError):
                await lease.release()

    async def stop(self, patience_s: float) -> None:
        """Lets a running function end, but no longer than the patience."""
        self._stopping.set()
        if self._run is not None:
            await asyncio.wait([self._run], timeout=patience_s)
            self._run.cancel()

    async def _acquire(self) -> "BlobLeaseClient | None":
        """The lease, or None while another host has it or the storage does not answer."""
        seconds = int(self._singleton.listener_lock_period.total_seconds())
        try:
            try:
                return await self._lock.acquire_lease(lease_duration=seconds, lease_id=self._lease_id)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    await self._container.create_container()
                with suppress(ResourceExistsError):
                    await self._lock.upload_blob(b"", overwrite=False)
                return await self._lock.acquire_lease(lease_duration=seconds, lease_id=self._lease_id)
        except AzureError as error:
            if not (isinstance(error, HttpResponseError) and error.status_code == HTTPStatus.CONFLICT):
                log.warning("timer %s cannot get its lock, asking on: %s", self._function.name, error.message)
            return None

    async def _keep(self, lease: "BlobLeaseClient") -> None:
        while True:
            await self._pause(self._singleton.listener_lock_period.total_seconds() / 2)
            if self._stopping.is_set():
                return
            await lease.renew()

    async def _fire_by_schedule(self) -> None:
        monitored = self._function.trigger.get("useMonitor") is not False
        monitored = monitored and self._schedule.shortest_gap(self._clock()) >= MONITORED_FROM
        status = await self._read() if monitored else None
        past_due = status is not None and status.next <= self._clock()
        if past_due or self._function.trigger.get("runOnStartup") is True:
            status = await self._fire(status, past_due, monitored)
        if status is None:
            status = Status(None, self._schedule.after(self._clock()))
            if monitored:
                await self._write(status)
        while True:
            await asyncio.sleep(max(0.0, (status.next - self._clock()).total_seconds()))
            if self._clock() >= status.next:
                status = await self._fire(status, False, monitored)

    async def _fire(self, status: Status | None, past_due: bool, monitored: bool) -> Status:
        """Runs the function and works out its next run from when it ended: what it overran is not made up for."""
        began = self._clock()
        document = status.document(began) if status else {}
        request = {"IsPastDue": past_due, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": document}
        self._run = asyncio.create_task(self._invoke(json.dumps(request)))
        await asyncio.shield(self._run)
        status = Status(began, self._schedule.after(self._clock()))
        if monitored:
            await self._write(status)
        return status

    async def _invoke(self, request: str) -> None:
        await invoke(self._function, Datum(request, "json"), {}, self._timeout)

    async def _read(self) -> Status | None:
        try:
            stored = json.loads(await (await self._status.download_blob()).readall())
        except ResourceNotFoundError:
            return None
        last = None if stored["Last"] == NEVER else datetime.fromisoformat(stored["Last"])
        return Status(last, datetime.fromisoformat(stored["Next"]))

    async def _write(self, status: Status) -> None:
        await self._status.upload_blob(json.dumps(status.document(self._clock())).encode(), overwrite=True)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
