"""Short tasks in plain Brazilian Portuguese: feelings, topics, questions about a passage, yes or no.

Knows Portuguese wordings only.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from . import names
from .pools import Part, pick, words

# label: adjectives that do not change with the speaker's gender or are written in one form
_FEELINGS: dict[str, tuple[str, ...]] = {
    "tristeza": words("""
        triste, infeliz, muito só, abatido, desanimada, deprimido, magoada, arrasado, sem esperança, vazia por dentro, com saudade e
        chorando, decepcionado, culpada, inútil, abandonado, de coração partido
    """),
    "alegria": words("""
        feliz, alegre, contente, animado, radiante, satisfeita, orgulhoso, em paz, tranquila, empolgado, confiante, cheia de energia,
        grato pela vida, otimista, realizada, muito bem
    """),
    "amor": words("""
        apaixonado, cheia de amor, com carinho por você, encantado por ela, próxima dele, querida por todos, cheio de ternura, dedicada a
        ele, romântico, amada, ligado a ela
    """),
    "raiva": words("""
        furioso, irritada, com raiva, revoltado, indignada, zangado, ofendida, injustiçado, frustrada, impaciente, cheio de ódio, brava,
        incomodado, de saco cheio
    """),
    "medo": words("""
        com medo, assustado, ansiosa, nervoso, preocupada, apavorado, insegura, aflito, tensa, em pânico, inquieto, ameaçada, hesitante,
        aterrorizada
    """),
    "surpresa": words("surpreso, espantada, admirado, chocada, impressionado, atônita, sem palavras, pasmo, boquiaberta, perplexo"),
}
_FELT = (
    "eu me sinto {a}",
    "estou {a} {why}",
    "hoje estou {a}",
    "fiquei {a} {why}",
    "ando {a} {why}",
    "me sinto tão {a}",
    "acordei {a}",
    "eu estava {a} {when}",
    "não sei por que estou {a}",
    "fico {a} {why}",
    "{when} eu me senti {a}",
    "ultimamente me sinto {a} {why}",
)
_WHEN = words("ontem, hoje cedo, esta noite, no trabalho, na escola, a semana toda, no domingo, depois do almoço, no ônibus, em casa")
_WHY = words("""
    por causa da prova, com a notícia, depois da conversa, com o meu irmão, com a viagem, por causa do trabalho, com o jogo, depois da
    festa, quando penso no futuro, com tudo isso, com a minha família, por causa do tempo, com o resultado
""")
_TOPICS: dict[str, tuple[str, ...]] = {
    "esporte": words("""
        o atacante marcou no último minuto, o time perdeu a final, a nadadora bateu o recorde, o goleiro defendeu o pênalti, a corrida
        começa às oito
    """),
    "comida": words("""
        frite a cebola com alho, o arroz ficou sem sal, jantamos peixe com farinha, asse o bolo por meia hora, a sopa precisa de mais
        cenoura
    """),
    "saúde": words("""
        o médico receitou um remédio para a febre, ela mediu a pressão, beba água e descanse, a vacina está disponível no posto, meu
        joelho dói quando ando
    """),
    "escola": words("""
        os alunos entregaram o trabalho, a professora explicou a matéria, preciso estudar para a prova, a matrícula termina na sexta,
        tirei boa nota em história
    """),
    "dinheiro": words("""
        o banco aumentou os juros, o aluguel subiu de novo, ela paga a conta todo mês, meu salário ainda não caiu, quero falar sobre o
        empréstimo
    """),
    "tempo": words("""
        vai chover forte à tarde, o vento derrubou as árvores, amanhã faz sol, a neblina fechou o aeroporto, a seca durou três meses
    """),
    "viagem": words("""
        pegamos o barco para Belém, o hotel ficava perto da praia, a passagem para Lisboa está barata, leve pouca bagagem, o voo atrasou
        duas horas
    """),
}
_ASK = (
    "Classifique o texto como um destes: {labels}.\n\n{text}",
    "Qual é o rótulo do texto? Opções: {labels}.\n\n{text}",
    "{text}\n\nEscolha um rótulo: {labels}.",
    "Rótulos: {labels}\nTexto: {text}\nRótulo:",
    "Leia o texto e responda com um destes: {labels}.\n\n{text}",
    "O texto fala de {labels}?\n\n{text}",
)


def classification(rng: random.Random, part: Part = "train") -> Chat:
    """Label a sentence by feeling or topic; the answer is the label alone."""
    if rng.random() < 0.65:
        labels = list(_FEELINGS) if rng.random() < 0.5 else rng.sample(list(_FEELINGS), rng.randint(2, 5))
        truth = rng.choice(labels)
        text = pick(rng, _FELT, part).format(a=rng.choice(_FEELINGS[truth]), why=rng.choice(_WHY), when=rng.choice(_WHEN))
    else:
        labels = rng.sample(list(_TOPICS), rng.randint(2, 6))
        truth = rng.choice(labels)
        text = rng.choice(_TOPICS[truth])
    rng.shuffle(labels)
    if rng.random() < 0.4:
        text = text[0].upper() + text[1:] + "."
    return exchange(pick(rng, _ASK, part).format(labels=", ".join(labels), text=text), truth)


def question(rng: random.Random, part: Part = "train") -> Chat:
    """A question whose answer stands in a short passage."""
    who, thing = (
        names.person(rng, part),
        rng.choice(
            words("""
        livros, cadernos, pães, ingressos, canetas, laranjas, caixas, cadeiras, ovos, camisas
    """)
        ),
    )
    city, age, count, price = rng.choice(names.PLACES), rng.randint(6, 90), rng.randint(2, 90), rng.randint(3, 900)
    day = rng.choice(words("segunda-feira, terça-feira, quarta-feira, quinta-feira, sexta-feira, sábado, domingo"))
    month = rng.choice(words("janeiro, fevereiro, março, abril, maio, junho, julho, agosto, setembro, outubro, novembro, dezembro"))
    job = rng.choice(
        words("""
        motorista, dentista, jornalista, estudante, artista, policial, gerente, pianista, analista, eletricista, recepcionista, taxista
    """)
    )
    days, seats = rng.randint(2, 60), rng.randint(5, 120)
    when = f"{rng.randint(1, 28)} de {month} de {rng.randint(1960, 2029)}"
    facts = [
        (f"{who} mora em {city}.", f"Onde mora {who}?", city),
        (f"{who} tem {age} anos.", f"Quantos anos tem {who}?", f"{age} anos"),
        (f"{who} comprou {count} {thing}.", f"{who} comprou qual quantidade de {thing}?", str(count)),
        (f"A conta foi de {price} reais.", "Quanto custou?", f"{price} reais"),
        (f"A reunião será em {when}.", "Quando será a reunião?", when),
        (f"O prazo vai até {day}.", "Em que dia termina o prazo?", day),
        (f"{who} trabalha como {job}.", f"Qual é a profissão de {who}?", job),
        (f"O aluno deve entregar o pedido em até {days} dias.", "Qual é o prazo para entregar o pedido?", f"{days} dias"),
        (f"A disciplina tem {seats} vagas.", "Quantas vagas tem a disciplina?", f"{seats} vagas"),
    ]
    told = rng.sample(facts, rng.randint(2, 5))
    passage = " ".join(fact[0] for fact in told)
    _, asked, answer = rng.choice(told)
    frame = pick(
        rng,
        (
            "{p}\n\n{q}",
            "Texto: {p}\nPergunta: {q}\nResposta:",
            "Leia e responda.\n\n{p}\n\n{q}",
            "{q}\n\n{p}",
            "Contexto: {p}\n\n{q}",
            "Responda com base no texto. {p} {q}",
        ),
        part,
    )
    return exchange(frame.format(p=passage, q=asked), answer)
