"""The product's own log lines to OpenTelemetry, as records with their ``extra`` as facts, masked like everywhere."""

import logging
from collections.abc import Mapping

from opentelemetry._logs import Logger, LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import get_current

from cmg_core.correlation import correlation_id
from cmg_core.telemetry.masked import exported
from cmg_core.telemetry.port import Facts
from cmg_core.triggers.masking import masked

PRODUCT = "cmg"
"""All loggers of the product lie under it; those of libraries are not exported."""
TOLD = ("deployment_id", "correlation_id", "code")
"""What lines carry beside their text (``extra``)."""
LONGEST = 32_000
"""Characters of a text: Application Insights takes 32,768 of a message ("Application Insights limits")."""
_NUMBERS: Mapping[int, SeverityNumber] = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class LogExport(logging.Handler):
    """Hands lines to OpenTelemetry. A traceback goes along as its text, masked as in the log."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._logger: Logger = provider.get_logger(PRODUCT)

    def emit(self, record: logging.LogRecord) -> None:
        text = masked(record.getMessage())
        facts: dict[str, str] = {name: str(getattr(record, name)) for name in TOLD if getattr(record, name, "")}
        facts = {"correlation_id": correlation_id(), **facts, "logger": record.name}
        if record.exc_info and record.exc_info[0]:
            facts["exception.type"] = record.exc_info[0].__name__
            text = f"{text}\n{masked(logging.Formatter().formatException(record.exc_info))}"
        told: Facts = {f"cmg.{name}" if "." not in name else name: value for name, value in facts.items() if value}
        self._logger.emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                context=get_current(),
                severity_text=record.levelname,
                severity_number=_NUMBERS.get(record.levelno, SeverityNumber.UNSPECIFIED),
                body=text[:LONGEST],
                attributes=exported(told),
            )
        )
