"""International host names: U-labels as people write them, A-labels as DNS, certificates and Azure take them.

Source: RFC 5890 to 5892 and Unicode UTS 46, as the library ``idna`` has them; for look-alikes UTS 39, of which only the
mixture of scripts within a label is looked at.
"""

import re
import unicodedata

import idna

from cmg_core.domain.findings import blocks, tells, warns
from cmg_core.domain.problems import Finding

A_LABEL = "xn--"
_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
"""Scripts that are written together (UTS 39, "Highly Restrictive"); Korean and Chinese mix less."""
_TOGETHER = (_JAPANESE, frozenset({"CJK", "HANGUL"}), frozenset({"CJK", "BOPOMOFO"}))


def ascii_name(name: str) -> str:
    """A host name as DNS takes it: labels with other letters than ASCII's become A-labels, the others stay as they are.

    Raises ValueError where a label cannot be one.
    """
    return ".".join(label if label.isascii() else _a_label(label) for label in _dots(name).split("."))


def _dots(name: str) -> str:
    """With plain dots between the labels: UTS 46 knows three more."""
    return name.translate(dict.fromkeys(map(ord, "\u3002\uff0e\uff61"), "."))


def _a_label(label: str) -> str:
    try:
        return idna.encode(label, uts46=True).decode()
    except idna.IDNAError as reason:
        raise ValueError("a label of the name is no international label (RFC 5891)") from reason


def readable_name(name: str) -> str | None:
    """The name with its A-labels as people read them. None where one of them is none."""
    try:
        return ".".join(idna.decode(label) if label.lower().startswith(A_LABEL) else label for label in name.split("."))
    except (idna.IDNAError, UnicodeError):
        return None


def judge_international(name: str) -> tuple[Finding, ...]:
    """What a person should know of a name that holds A-labels."""
    if A_LABEL not in name.lower():
        return ()
    readable, where = readable_name(name), "/certificate/name"
    if readable is None:
        return (
            blocks(
                "international-name-invalid",
                f"«{name}» holds a label that begins with «{A_LABEL}» and is no international label (RFC 5891).",
                "Use a certificate for a name whose labels are plain, or encoded as RFC 5891 has it.",
                pointer=where,
            ),
        )
    if readable == name:
        return ()
    mixed = [label for label in readable.split(".") if _mixes_scripts(label)]
    found = (
        tells(
            "international-name",
            f"«{name}» reads «{readable}».",
            f"Enter it as «{name}» wherever a name is asked for: DNS, site and clients take this form.",
            pointer=where,
        ),
    )
    if not mixed:
        return found
    warned = warns(
        "international-name-mixed",
        f"«{mixed[0]}» mixes letters of several scripts, which can look like another name.",
        "See letter by letter that it is the name which is meant.",
        pointer=where,
    )
    return (*found, warned)


def _mixes_scripts(label: str) -> bool:
    """By the first word of each letter's Unicode name, which is its script's for every letter in use."""
    scripts = {re.split("[ -]", unicodedata.name(letter, "?"))[0] for letter in label if letter.isalpha()}
    return len(scripts) > 1 and not any(scripts <= allowed for allowed in _TOGETHER)
