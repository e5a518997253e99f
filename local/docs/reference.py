"""Reference pages made from the code."""

from datetime import timedelta

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cmg_core.settings import SECRET, Settings

_HEAD = """# Settings

Made from `cmg_core/settings.py`. A setting that cannot be obeyed stops the app's work: `GET /api/health` names
each with its cure. An empty one counts as left out. **Secret** ones are references to a key vault in Azure; their
values are shown nowhere.

| setting | what to give | secret | left out |
|---|---|---|---|
"""


def settings_page() -> str:
    """The page of all settings, as Markdown."""
    return _HEAD + "".join(_rows())


def _rows() -> list[str]:
    return [
        f"| `{field.alias}` | {_sentence(field.description or '')} | {'yes' if field.alias in SECRET else ''} "
        f"| {_left_out(field)} |\n"
        for field in Settings.model_fields.values()
    ]


def _left_out(field: FieldInfo) -> str:
    """What counts where the setting is left out, written as one would give it."""
    default = field.default
    if default is PydanticUndefined or default in ("", (), frozenset()) or field.alias in SECRET:
        return ""
    if isinstance(default, frozenset):
        default = ", ".join(sorted(default))
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, timedelta):
        in_seconds = str(field.alias).endswith("_SECONDS")
        default = (
            int(default.total_seconds()) if in_seconds else TypeAdapter(timedelta).dump_python(default, mode="json")
        )
    return f"`{default}`"


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).replace("|", "\\|")
