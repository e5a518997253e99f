"""One shared transport for all of Azure's clients."""

from cmg_core.outbound.sessions import Transport, open_session


def make_transport() -> Transport:
    """A transport over a session of its own. Needs a running event loop.

    Closing the transport closes the session: only who shares it among clients does that, at the end.
    """
    from azure.core.pipeline.transport import AioHttpTransport

    transport: Transport = AioHttpTransport(session=open_session(), session_owner=True)
    return transport
