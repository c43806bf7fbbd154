"""A question with what is expected of it: answers, where they stand, or that the documents do not tell.

Does not know where such lists come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playground.rag.exam.pages import page_of
from playground.rag.text import clean, fold, squeezed

OR = re.compile(r"\s+\|\s+")  # between answers of which each would be right
# what people write in the place of an answer where there is none, in English and Portuguese
NONE = re.compile(
    r"[\W_]*(not in the (documents?|texts?|files?)|the documents? do(es)? not (tell|say)|unanswerable|not answerable|no answer|n/?a|"
    r"nao (esta|consta|ha) n[oa]s? (documentos?|textos?|arquivos?)|o documento nao (diz|informa)|os documentos nao (dizem|informam)|"
    r"sem resposta|nao respondivel)[\W_]*"
)


@dataclass(frozen=True)
class Expected:
    """`answers`: each is right; none means that the documents do not tell. `document` "" and `page` None where nobody said.

    `page` is as `playground.rag.exam.pages` has it: 3, "3-4", "iv".
    """

    question: str
    answers: tuple[str, ...] = ()
    document: str = ""
    page: int | str | None = None

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


def expected(question: str, answer: str, document: str = "", page: str = "") -> Expected:
    """One line of a list, as it was written, but for characters that no page has either: nothing can be looked for with those."""
    answers = tuple(dict.fromkeys(one for part in OR.split(answer) if (one := clean(part).strip())))
    if len(answers) == 1 and NONE.fullmatch(fold(squeezed(answers[0]))):
        answers = ()
    question, document, page = (clean(part).strip() for part in (question, document, page))
    return Expected(question, answers, document if answers else "", page_of(page) if answers else None)
