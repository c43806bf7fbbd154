"""Text in a document that tries to give orders to the model that reads it ("ignore your instructions").

Such text is material like any other and changes nothing: the answer is a sentence that was found, or words that were checked against it.
But who added the document should know. Finds the obvious ones in English and Portuguese; proves nothing where it finds none.
"""

from __future__ import annotations

import re
import unicodedata

# Patterns are matched against small letters without accents, with one blank for all white space.
_SOME = r"(?:\w+ ){0,4}?"
_WITHIN = r"[^.!?;]{0,60}?"
_DONE = r"(?= ?(?:[.,;:!?)]|$|(?:and|this|e|disto|disso)\b))"
_IGNORE = r"(?<!\bnot )(?<!n't )(?<!nt )(?<!never )\b(?:ignore|disregard|forget|override|bypass|(?:do not|don'?t) (?:follow|obey)) "
_IGNORE += r"(?!of |to |for )"  # the utter disregard of all rules
_IGNORA = r"\b(?:ignor[ea]|ignorem|desconsider[ea]|desconsiderem|despreze|esqueca(?:-se de)?|nao (?:siga|obedeca(?: a)?)) "
_SAY = r"(?:say|tell|answer|reply|respond|output|print|speak|write)\b"
_DIGA = r"(?:diga|dizer|fale|responda|responder|escreva|imprima|mostre)\b"
_MACHINE = r"(?:ai|assistant|chat ?bot|bot|(?:large )?language model|llm|gpt|dan|agent|jailbroken|un(?:restrict|censor|filter)ed)\b"
_MAQUINA = r"(?:ia|assistente|chat ?bot|robo|modelo de linguagem|llm|gpt|dan|agente|sem (?:restricoes|limites|censura|filtros?))\b"
_AI = r"(?:ai|llms?|(?:large )?language models?|chat ?bots?)\b"
_IA = r"(?:ia|llms?|modelos? de linguagem|chat ?bots?)\b"
_ONLY = r"(?:(?:always|only|just|simply|sempre|apenas|so) )?"

# each kind of order: words of which it has at least one, a cheap look that spares most pages the dear one; and what it looks like
_KINDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("ignore", "disregard", "forget", "override", "bypass", "follow", "obey"),
        (
            _IGNORE + _SOME + r"(?:instructions?|prompts?|rules)\b",
            _IGNORE + _SOME + r"(?:previous|prior|above|earlier|your|system) (?:direct(?:ion|ive)s?|guidelines?|commands?|orders?)\b",
            _IGNORE + r"(?:everything|anything|all|what(?:ever)?|the (?:text|words|content|context|passage|document|chat)) " + _WITHIN
            + r"\b(?:above|before" + _DONE + r"|previous(?:ly)?|earlier|so far|you (?:were|have been|are) told)\b",
            _IGNORE + r"(?:the |this |that |any )?(?:user'?s )?questions?,? (?:and|but|just|instead)\b",
            _IGNORE + r"(?:the )?(?:above|previous|preceding) (?:text|words|content|context|passages?|documents?|conversation|messages?)\b",
        ),
    ),
    (
        ("ignor", "desconsider", "despreze", "esqueca", "siga", "obedeca"),
        (
            _IGNORA + _SOME + r"(?:instruc(?:ao|oes)|prompts?|regras)\b",
            _IGNORA + _SOME + r"(?:ordens|diretrizes|orientacoes|comandos) (?:anteriores|acima|previ[ao]s|do sistema)\b",
            _IGNORA + r"(?:todas )?(?:as )?suas (?:ordens|diretrizes|orientacoes)\b",
            _IGNORA + r"(?:a |esta |essa )?pergunta(?: do usuario)?,? (?:e|mas)\b",
            _IGNORA + r"(?:tudo|todo|o (?:texto|conteudo|contexto|trecho|documento|que)) " + _WITHIN
            + r"\b(?:acima|antes" + _DONE + r"|anterior(?:mente|es)?|ate (?:aqui|agora))\b",
        ),
    ),
    (
        ("you are", "pretend", "act as", "voce", "finja", "aja como"),
        (
            r"\byou are (?:now|no longer) " + _SOME + _MACHINE,
            r"\b(?:pretend (?:to be|(?:that )?you are)|act as) " + _SOME + _MACHINE,
            r"\b(?:voce (?:agora e|e agora|nao e mais)|agora voce e) " + _SOME + _MAQUINA,
            r"\b(?:finja (?:ser|que e)|aja como) " + _SOME + _MAQUINA,
        ),
    ),
    (
        ("from now on", "de agora", "answer", "responda", "question", "pergunta", "no matter what", "regardless of", "whatever"),
        (
            r"\bfrom now on,? (?:(?:you|only|always|must|will|should|just) ){0,3}" + _SAY,
            r"\b(?:a partir )?de agora(?: em diante)?,? (?:(?:voce|so|apenas|sempre|deve) ){0,3}(?:responde\b|" + _DIGA + ")",
            r"\b(?:do not|don'?t|never) answer (?:[\w']+ ){0,2}?questions?\b[^.!?]{0,30}?[.!]? ?(?:instead,? )?\b"
            r"(?:say|reply|respond|output|print)\b",
            r"\bnao responda (?:as? )?(?:\w+ )?perguntas?\b[^.!?]{0,30}?[.!]? ?(?:em vez disso,? )?\b" + _DIGA,
            r"\b(?:whatever|no matter what|regardless of) [^.!?;]{0,30}?\b(?:questions?|user|asked|asks)\b[^.!?;]{0,15}?, ?" + _ONLY + _SAY,
            r"\b(?:independentemente da|qualquer que seja a|seja qual for a) pergunta\b[^.!?;]{0,15}?, ?" + _ONLY + _DIGA,
            r"\b(?:for|to) (?:every|any|each|all) questions?,? " + _ONLY + _SAY,
            r"\b(?:para|a) (?:qualquer|cada|toda|todas as) perguntas?,? " + _ONLY + _DIGA,
            r"\b(?:answer|respond to|reply to) (?:every|all|any|each) (?:\w+ ){0,2}?questions? (?:with|by saying)\b",
            r"\bresponda (?:as? )?(?:tod[ao]s?|qualquer|cada) (?:as? )?perguntas? (?:com|dizendo)\b",
        ),
    ),
    (
        (
            *("system", "assistant", "sistema", "assistente", "<|im_", "inst]", "<<sys"),
            *("reading this", "if you are", "note to", "se voce", "atencao"),
        ),
        (
            r"\bif you are an? " + _AI + r"|\bnote to (?:the |any |all )?" + _AI + "|" + _AI + r" (?:assistants? )?reading this\b",
            r"\bse voce (?:e|for) uma? " + _IA + r"|\batencao,? (?:a )?" + _IA,
            r"\b(?:system|assistant) ?: (?:from now on|you (?:are|must|will|only|now)|ignore|always|never|only|" + _SAY + ")",
            r"\b(?:sistema|assistente) ?: (?:a partir de|voce (?:e|deve|so|agora)|ignore|sempre|nunca|apenas|" + _DIGA + ")",
            r"<\|im_(?:start|end)\|>|\[/?inst\]|<<sys>>",
        ),
    ),
    (
        ("instruc", "prompt", "new task", "nova tarefa"),
        (
            r"\b(?:reveal|print|repeat|show|output) " + _SOME + r"(?:system prompt|instructions)\b",
            r"\b(?:revele|mostre|repita) " + _SOME + r"(?:system prompt|prompt d[eo] sistema|instrucoes)\b",
            r"\b(?:new|novas?) (?:system )?(?:instructions?|instrucoes) ?:|\byour new task is\b|\bsua nova tarefa e\b",
        ),
    ),
)  # fmt: skip
_ORDERS = tuple((hints, re.compile("|".join(patterns))) for hints, patterns in _KINDS)


def gives_orders(text: str) -> bool:
    """Whether a page holds words of that kind."""
    plain = _plain(text)
    return any(any(hint in plain for hint in hints) and looks.search(plain) is not None for hints, looks in _ORDERS)


def _plain(text: str) -> str:
    """Small letters without accents, one blank for all white space; signs of no width, which could part a word, fall out."""
    return " ".join(unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode("ascii").split())
