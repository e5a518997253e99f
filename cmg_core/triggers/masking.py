"""The last net under invariant 6: whatever looks like a key is masked before a log record reaches any handler."""

import logging
import re
import traceback

_SECRETS = re.compile(
    r"""(?ix)
    (?P<name> \b(?: accountkey | sharedaccesskey | sharedaccesssignature | client_secret | password | pwd
                  | x-functions-key | x-identity-header | authorization )["']? \s*[=:]\s* ["']? (?:bearer\s+)?
            | [?&](?: sig | code )=
            | \bbearer\s+ )
    [^\s"'&;,]+
    | \beyJ[\w-]{10,}\.[\w-]+\.[\w-]*
    | -----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY-----.*?(?:-----END[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY-----|\Z)
    """,
    re.DOTALL,
)


def masked(text: str) -> str:
    """The text without what looks like an account key, a SAS, a function key, a token, a password or a private key."""
    return _SECRETS.sub(lambda found: f"{found['name'] or ''}***", text)


class MaskingRecord(logging.LogRecord):
    """A log record whose message and traceback are masked, whichever handler writes them."""

    def getMessage(self) -> str:
        if self.exc_info and self.exc_info[0] and not self.exc_text:
            self.exc_text = masked("".join(traceback.format_exception(*self.exc_info)).rstrip())
        return masked(super().getMessage())


def mask_logs() -> None:
    """Let every log record of this process be a masking one."""
    logging.setLogRecordFactory(MaskingRecord)
