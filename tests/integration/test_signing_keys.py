"""The directory's keys over a real socket: what is taken for them, and what is only a sign to try again."""

import asyncio

import pytest
from aiohttp import web

from cmg_core.azure.signing_keys import LARGEST_DOCUMENT, fetch_document
from cmg_core.domain.errors import TryAgain
from cmg_core.domain.values import JsonObject
from local.dev.environment import free_port


def fetched(answer: web.Response | None) -> JsonObject:
    """What comes of one answer; of none where nobody listens."""

    async def once() -> JsonObject:
        port, app = free_port(), web.Application()

        async def handle(_: web.Request) -> web.Response:
            assert answer is not None
            return answer

        app.router.add_get("/keys", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            if answer is not None:
                await web.TCPSite(runner, "127.0.0.1", port).start()
            return await fetch_document(f"http://127.0.0.1:{port}/keys")
        finally:
            await runner.cleanup()

    return asyncio.run(once())


def test_a_document_is_taken() -> None:
    assert fetched(web.json_response({"keys": []})) == {"keys": []}


@pytest.mark.parametrize(
    "answer",
    [
        lambda: None,
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "/keys"}),
        lambda: web.Response(text="<html>Sign in to the proxy</html>"),
        lambda: web.Response(text="[]"),
        lambda: web.Response(body=b'{"keys": "' + b"x" * LARGEST_DOCUMENT + b'"}'),
        lambda: web.Response(body=b"\xff\xfe"),
    ],
    ids=["nobody listens", "an error", "a redirection", "a page", "a list", "too much", "no text"],
)
def test_anything_else_is_a_reason_to_try_again(answer: object) -> None:
    assert callable(answer)
    with pytest.raises(TryAgain):
        fetched(answer())
