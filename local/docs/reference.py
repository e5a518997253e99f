"""Reference pages made from the code."""

from pydantic_core import PydanticUndefined

from cmg_core.settings import SECRET, Settings

_HEAD = """# Settings

Made from `cmg_core/settings.py`. A setting that cannot be obeyed stops the app's work: `GET /api/health` names each with its cure. An
empty one counts as left out. **Secret** ones are references to a key vault in Azure; their values are shown nowhere.

| setting | what to give | secret | left out |
|---|---|---|---|
"""


def settings_page() -> str:
    """The page of all settings, as Markdown."""
    return _HEAD + "".join(_rows())


def _rows() -> list[str]:
    return [
        f"| `{field.alias}` | {_sentence(field.description or '')} | {'yes' if field.alias in SECRET else ''} "
        f"| {'' if _is_nothing(field.default) else f'`{field.default}`'} |\n"
        for field in Settings.model_fields.values()
    ]


def _is_nothing(default: object) -> bool:
    """Secrets' defaults are empty, too; they are not compared, since only their masks would show."""
    return default is PydanticUndefined or default in ("", ()) or type(default).__name__.startswith("Secret")


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).replace("|", "\\|")
