"""What a table is probably meant to teach: the task and the columns, by their names (English and Portuguese) and what is in them.

Proposes only; does not check or build anything.
"""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from playground.data.chats import MESSAGES, turns
from playground.data.choices import WHOLE_ROLES
from playground.data.table import column_type, written

LABELS = 50  # different values that an answer column of a classification may have
LABEL_CHARACTERS = 60
SAMPLE = 5_000
CHATS = 50  # cells that tell whether a column holds conversations
NAMES: dict[str, tuple[str, ...]] = {  # earlier is stronger
    "answer": (
        *("answer", "resposta", "completion", "response", "output", "saida", "summary", "summarie", "resumo", "label", "rotulo", "target"),
        *("alvo", "category", "categorie", "categoria", "class", "classe", "sentiment", "sentimento", "emotion", "emocao", "intent"),
        *("intencao", "reply", "solution", "highlight", "chosen", "translation", "traducao", "sql", "query", "topic", "assunto"),
        *("description", "descricao", "author", "autor", "autore", "tag"),
    ),
    "prompt": (
        *("prompt", "question", "pergunta", "instruction", "instrucao", "text", "texto", "input", "entrada", "sentence", "frase"),
        *("document", "documento", "article", "artigo", "dialogue", "dialogo", "conversation", "conversa", "review", "message"),
        *("mensagem", "comment", "comentario", "tweet", "quote", "content", "conteudo", "body", "title", "titulo", "query"),
        *("description", "descricao", "citacao"),
    ),
    "text": (
        "text",
        "texto",
        "content",
        "conteudo",
        "body",
        "document",
        "documento",
        "article",
        "artigo",
        "story",
        "paragraph",
        "paragrafo",
    ),
    "context": ("context", "contexto", "input", "entrada", "passage", "trecho", "background", "evidence"),
}
ANSWERS = {"answer", "resposta", "completion", "response", "output", "saida", "target", "reply", "chosen"}  # these need no partner
PAIRS = (  # names that go together where no column is called an answer or a label: (what is asked, what is answered)
    ({"title", "titulo", "product", "produto", "name", "nome"}, {"content", "conteudo", "description", "descricao", "body"}),
    ({"quote", "citacao", "frase"}, {"author", "autor", "autore"}),
    ({"question", "pergunta"}, {"query", "sql"}),
)
NEVER = {"rejected", "url", "link", "split"}  # words of columns that neither ask nor answer
SUMMARIES = {"summary", "summarie", "resumo", "highlight", "abstract"}
LABEL_NAMES = {
    *("label", "rotulo", "category", "categorie", "categoria", "class", "classe", "sentiment", "sentimento", "emotion", "emocao"),
    *("intent", "intencao", "topic"),
}


def words(name: str) -> list[str]:
    """`customerQuestions_2` -> [customer, question, 2], without accents and plurals."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(letter))
    return [re.sub(r"(?<=...[^s])s$", "", word) for word in re.findall(r"[a-z]+|\d+", bare.casefold())]


def strength(name: str, role: str) -> float:
    """How much a column's name says that it has a role: 1 to 2 for the whole name, 0 to 1 for a word of it, 0 for nothing."""
    parts, known = words(name), NAMES[role]
    whole = "".join(parts)
    for place, usual in enumerate(known):
        if whole == usual:
            return 2 - place / len(known)
    return max((1 - known.index(part) / len(known) for part in parts if part in known), default=0.0)


def is_label(column: pl.Series) -> bool:
    """Whether a column has a few short values that come again and again."""
    known = written(column.head(SAMPLE).drop_nulls())
    different = known.n_unique()
    if not 2 <= different <= LABELS or known.str.len_chars().gt(LABEL_CHARACTERS).any():
        return False
    named = bool(set(words(column.name)) & LABEL_NAMES)
    return different <= len(known) * (0.5 if named else 0.2) or (named and len(known) <= 20)


def guess_roles(frame: pl.DataFrame, chosen: dict[str, str], task: str | None) -> dict[str, str]:
    """Roles -> column names, those in `chosen` kept. Leaves out what cannot be guessed."""
    if task in WHOLE_ROLES:
        role = WHOLE_ROLES[task]
        column = _chat_column(frame) if role == "messages" else _text_column(frame)
        return {role: column, **chosen} if column else dict(chosen)
    roles = dict(chosen)

    def free() -> list[pl.Series]:
        return [
            column
            for column in frame.iter_columns()
            if column.name not in roles.values() and column.null_count() < len(column) and not set(words(column.name)) & NEVER
        ]

    def take(role: str, best: pl.Series | None) -> None:
        if best is not None:
            roles[role] = best.name

    if not roles and task in (None, "instruction"):
        roles.update(_pair(free()))
    if "prompt" not in roles:
        take("prompt", _named([one for one in free() if strength(one.name, "prompt") >= strength(one.name, "answer")], "prompt"))
    if "answer" not in roles:
        take("answer", _answer(free(), "prompt" in roles, task))
    if "prompt" not in roles:
        take("prompt", _longest([column for column in free() if _has_content(column)]))
    if "context" not in roles and task in (None, "instruction") and "prompt" in roles:
        take("context", _named([column for column in free() if strength(column.name, "context") > 1], "context"))
    return roles


def guess_whole(frame: pl.DataFrame, chosen: dict[str, str]) -> str | None:
    """chat where a table holds conversations, completion where it holds nothing but a column of texts, else None."""
    if chosen:
        return None
    column = _chat_column(frame)
    if column is not None and (column == MESSAGES or frame.width == 1):
        return "chat"
    return "completion" if frame.width == 1 and column_type(frame.to_series()) == "text" else None


def _chat_column(frame: pl.DataFrame) -> str | None:
    """The column of whole conversations, by what is in it."""
    for column in sorted(frame.iter_columns(), key=lambda one: one.name != MESSAGES):
        cells = column.drop_nulls().head(CHATS).to_list() if column.dtype == pl.String else []
        if 2 * sum(turns(cell) is not None for cell in cells if cell.startswith(("[", "{"))) > len(cells):
            return column.name
    return MESSAGES if MESSAGES in frame.columns and column_type(frame[MESSAGES]) == "list" else None


def _text_column(frame: pl.DataFrame) -> str | None:
    texts = [column for column in frame.iter_columns() if column_type(column) == "text"]
    best = _named(texts, "text")
    best = best if best is not None else _longest(texts)
    return None if best is None else best.name


def _pair(free: list[pl.Series]) -> dict[str, str]:
    """Question and answer by names that go together, whole names before names with such a word in them."""
    if any("".join(words(column.name)) in LABEL_NAMES | ANSWERS | SUMMARIES for column in free):
        return {}
    useful = [column.name for column in free if _has_content(column)]
    for asks, answers in PAIRS:
        found = [
            min((name for name in useful if set(words(name)) & known), key=lambda name: len(words(name)), default="")
            for known in (asks, answers - asks)
        ]
        exact = any("".join(words(name)) in asks | answers for name in found)
        if all(found) and exact and len(set(found)) == 2:
            return {"prompt": found[0], "answer": found[1]}
    return {}


def _answer(free: list[pl.Series], has_prompt: bool, task: str | None) -> pl.Series | None:
    """The column that answers: by its name, else one of labels, else a text; of two texts the second."""
    named = _named(free, "answer")
    if named is not None and (task != "classification" or is_label(named)):
        return named
    useful = [column for column in free if _has_content(column)]
    if len(useful) < (1 if has_prompt else 2):
        return named
    labels = [column for column in useful if is_label(column)] if task in (None, "classification") else []
    if labels:
        return labels[-1]
    return named if named is not None else useful[-1] if len(useful) == 2 and not has_prompt else _longest(useful)


def _longest(columns: list[pl.Series]) -> pl.Series | None:
    """The column with the longest texts; lists of things only where there is nothing else."""

    def rank(column: pl.Series) -> tuple[bool, float]:
        return column_type(column) == "text", float(written(column.head(SAMPLE)).str.len_chars().mean() or 0)  # type: ignore[arg-type]

    return max(columns, key=rank, default=None)


def _named(columns: list[pl.Series], role: str) -> pl.Series | None:
    best = max(columns, key=lambda column: strength(column.name, role), default=None)
    return best if best is not None and strength(best.name, role) > 0 else None


def _has_content(column: pl.Series) -> bool:
    """Whether a column can ask or answer something: no id, no date, no numbers of rows, not one value throughout."""
    if words(column.name)[-1:] in (["id"], ["index"], ["idx"]) or column_type(column) == "date" or column.drop_nulls().n_unique() < 2:
        return False
    return not (column.dtype.is_integer() and len(column) > 2 and column.n_unique() == len(column))


def guess_task(frame: pl.DataFrame, roles: dict[str, str]) -> str:
    """classification where the answers are labels, summarization where a column is called so, else instruction."""
    if "answer" not in roles:
        return "instruction"
    if set(words(roles["answer"])) & SUMMARIES:
        return "summarization"
    return "classification" if "context" not in roles and is_label(frame[roles["answer"]]) else "instruction"
