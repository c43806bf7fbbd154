"""Text in a document that tries to give orders to the model that reads it ("ignore your instructions").

Such text is material like any other and changes nothing: the answer is a sentence that was found, or words that were checked against it.
But who added the document should know. Finds the obvious ones in English and Portuguese; proves nothing where it finds none.
"""

from __future__ import annotations

import re

_HINT = re.compile(r"instru|prompt|regras|rules|<\|im_|\[/?inst\]|<<sys", re.IGNORECASE)  # a cheap look that spares most pages the dear one
_WHOSE = r"(?:\w+\s+){0,4}?"
_THOSE = r"(?:instructions?|prompts?|rules)\b"
_THEM = r"(?:instru[çc](?:[ãa]o|[õo]es)|prompts?|regras)\b"
_HIDDEN = r"(?:system\s+prompt|prompt\s+d[eo]\s+sistema|instructions|instru[çc][õo]es)\b"
_ORDERS = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget|override|bypass|do not follow|don['’]t follow)\s+"
            + _WHOSE
            + r"(?:instructions?|prompts?|rules)\b",
            r"\b(?:ignor[ea]|ignorem|desconsider[ea]|esque[çc]a|n[ãa]o\s+siga)\s+" + _WHOSE + _THEM,
            r"\b(?:reveal|print|repeat|show|output|revele|mostre|repita)\s+" + _WHOSE + _HIDDEN,
            r"\b(?:new|novas?)\s+(?:system\s+)?(?:instructions?|instru[çc][õo]es)\s*:",
            r"<\|im_(?:start|end)\|>|\[/?INST\]|<<SYS>>",
        )
    ),
    re.IGNORECASE,
)


def gives_orders(text: str) -> bool:
    """Whether a page holds words of that kind."""
    return bool(_HINT.search(text) and _ORDERS.search(text))
