"""A question with what is expected of it: answers, where they stand, or that the documents do not tell.

Does not know where such lists come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playground.rag.text import fold, squeezed

OR = re.compile(r"\s+\|\s+")  # between answers of which each would be right
# what people write in the place of an answer where there is none, in English and Portuguese
NONE = re.compile(
    r"[\W_]*(not in the (documents?|texts?|files?)|the documents? do(es)? not (tell|say)|unanswerable|not answerable|no answer|n/?a|"
    r"nao (esta|consta|ha) n[oa]s? (documentos?|textos?|arquivos?)|o documento nao (diz|informa)|os documentos nao (dizem|informam)|"
    r"sem resposta|nao respondivel)[\W_]*"
)
PAGE = re.compile(r"\s*(?:p|pp|pg|pag|page|pagina)?\s*\.?\s*(\d{1,6})(?:\.0+)?\b.*", re.DOTALL)


@dataclass(frozen=True)
class Expected:
    """`answers`: each is right; none means that the documents do not tell. `document` "" and `page` None where nobody said."""

    question: str
    answers: tuple[str, ...] = ()
    document: str = ""
    page: int | None = None

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


def expected(question: str, answer: str, document: str = "", page: str = "") -> Expected:
    """One line of a list. The page counts from 1; of `pages 3-4` it is the first, and what is no number is nothing."""
    answers = tuple(dict.fromkeys(one.strip() for one in OR.split(answer) if one.strip()))
    if len(answers) == 1 and NONE.fullmatch(fold(squeezed(answers[0]))):
        answers = ()
    found = PAGE.fullmatch(fold(page.lower()))
    number = int(found[1]) if found and int(found[1]) else None
    return Expected(question.strip(), answers, document.strip() if answers else "", number if answers else None)
