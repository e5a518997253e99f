"""A small app for the tests of the local host: it shows what reaches a function, and fails when told to."""

import asyncio
import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
journal = Path(os.environ["HOST_APP_JOURNAL"])
go = journal.with_name("go")


def note(line: str) -> None:
    """Appends one line; several hosts may write the same journal."""
    with journal.open("a") as file:
        file.write(line + "\n")


@app.route(route="echo/{id:guid}/{part?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    shown = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("X-Shown"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(
        json.dumps(shown), mimetype="application/json", status_code=201, headers={"X-Made-By": "echo"}
    )


@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS, methods=["GET"])
def open_to_all(req: func.HttpRequest) -> str:
    return f"hello {req.params.get('name', '')}"


@app.route(route="closed", auth_level=func.AuthLevel.ADMIN)
async def closed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@app.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("a text that no caller may see")


@app.queue_trigger(arg_name="message", queue_name="%HOST_APP_QUEUE%", connection="HostAppStorage")
async def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    note(f"begin {text} {message.dequeue_count}")
    if text.startswith("fail"):
        raise RuntimeError("told to fail")
    while text.startswith("slow") and not go.exists():  # noqa: ASYNC110 (the test is another process)
        await asyncio.sleep(0.02)
    note(f"end {text} {message.dequeue_count}")


@app.timer_trigger(arg_name="timer", schedule="%HOST_APP_SCHEDULE%", use_monitor=True)
async def tick(timer: func.TimerRequest) -> None:
    note(f"tick {os.getpid()} {'late' if timer.past_due else 'on time'}")
