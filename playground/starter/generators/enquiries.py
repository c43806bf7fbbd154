"""What people ask at a counter, and plain answers to it: hours, prices, places, bookings, complaints, thanks; English and Portuguese.

Nothing is true of any real place: it teaches what kind of sentence answers which question, so that an untaught model answers to the point
in a plain manner. Knows wordings only.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from playground.starter.chatml import Chat, exchange

from . import inventions
from .pools import Part, phrases, pick, words


class Counter(NamedTuple):
    """The wordings of one language: by topic (questions, answers), and what fills their slots."""

    topics: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    slots: dict[str, tuple[str, ...]]
    role: str


ENGLISH = Counter(
    {
        "hours": (
            phrases("""
                When do you open? | What time do you open on {day}? | Are you open on {day}? | When does the {venue} close? | how
                late are you open | What are your opening hours? | Is the {venue} open today? | When do you shut on {day}? | Can I
                come after {hour}? | How early can we come? | Are you open at {hour}? | Until when can I stay?
            """),
            phrases("""
                We open at {hour} in the morning and close at {late} in the evening. | On {day} we are open from {hour} to {late}.
                | Yes, we are open until {late}. | The {venue} opens at {hour} every day but {day}. | We close at {late}, so there
                is time. | You can come at any time between {hour} and {late}.
            """),
        ),
        "price": (
            phrases("""
                How much is the {item}? | What does a {item} cost? | Do you have anything cheap? | How much do I pay for the
                {item}? | What is the price of the {item}? | price of a {item}? | Is the {item} expensive? | Are there lower
                prices for children? | Is there a reduction for students? | Can I get a {item} for under {sum}?
            """),
            phrases("""
                The {item} costs {sum}. | It is {sum} for one and less for two. | You pay {sum}, and children pay half. | The
                {item} is {sum} this week. | We have a small {item} for {sum}. | Students pay {sum} on {day}.
            """),
        ),
        "where": (
            phrases("""
                Where are you? | How do I find the {venue}? | Where is the toilet? | Where can I park my car? | Which bus goes to
                you? | Where do I find the {item}? | where is the lift | Is the {venue} far from the station? | Where can I sit? |
                Where should I wait? | Can I come by bicycle?
            """),
            phrases("""
                It is {spot}. | You find it {spot}. | We are in {place}, {spot}. | Go straight on, and you will see it {spot}. |
                The {number} bus stops near the {venue}. | There is room {spot}.
            """),
        ),
        "have": (
            phrases("""
                Do you have a {item}? | Do you sell {item} too? | Is there any {item} left? | Do you have something without meat?
                | Have you got free internet? | Is there a {item} for children? | I am looking for a {item}. | Can I get a {item}
                here? | Do you have a {item} in {colour}? | What do you have for dogs? | Which {item} is the best? | Do you make
                the {item} yourselves?
            """),
            phrases("""
                Yes, we have a {item}, and it is {quality}. | I am sorry, the {item} is sold out until {day}. | We have a {colour}
                {item} and a {quality} one. | Yes, you can find a {item} {spot}. | The {quality} {item} is the one most people
                like. | No, we do not have that, but there is a {item}. | Yes, it is made here every {day}.
            """),
        ),
        "booking": (
            phrases("""
                Can I book for {number}? | I would like to reserve a place for {day}. | Do I have to book? | Can I change my
                booking? | We are {number} people. Is there room? | How do I cancel? | Can we come on {day} at {hour}? | Is there
                a table for {number}? | May I hire a room for a party? | Can you keep a {item} for me? | Do you take groups?
            """),
            phrases("""
                Yes, please call us before {day}. | You can book for {number} people by telephone. | There is room for {number} on
                {day}. | You do not have to book, just come at {hour}. | Tell us your name and we will keep it until {day}. |
                Please write to us one day before.
            """),
        ),
        "rules": (
            phrases("""
                Can I bring my dog? | Are children allowed? | May I take photographs? | Can I eat here? | Can I pay by card? | Do
                you take cash? | May I bring my own food? | Can I give it back? | Is smoking allowed? | Can I come with a
                wheelchair? | Do I need a ticket? | Can you send it to me? | Can you wrap the {item}?
            """),
            phrases("""
                Yes, that is no problem. | Yes, if you ask at the desk first. | No, I am sorry, that is not allowed here. | You
                can pay by card or in cash. | Yes, until {day}, with the receipt. | Yes, the entrance is flat and wide. | Dogs are
                welcome {spot}. | We can send it to {place} for {sum}.
            """),
        ),
        "complaint": (
            phrases("""
                My {item} is broken. | The {item} was cold. | I waited for an hour! | You gave me the wrong {item}. | This {item}
                is not {quality}. | I am not happy with the {item}. | Nobody answers the telephone. | The {item} is too small. | I
                paid twice. | It is too loud here. | the {item} tastes odd | I lost my {item} here.
            """),
            phrases("""
                I am sorry. Please bring it back, and we will give you a new {item}. | I am sorry about that. You will get your
                money back. | That should not have happened. We will put it right today. | I am sorry that you had to wait. |
                Please show it to us at the desk, and we will help you. | We will look for it. Please leave your name.
            """),
        ),
        "staff": (
            phrases("""
                Who is the owner? | Who works here? | Can I work for you? | Are you a robot? | Who made this {item}? | How old is
                the {venue}? | Since when are you here? | Can I speak to somebody? | What is your job? | What do you like best
                here? | Why is it called that?
            """),
            phrases("""
                The {venue} belongs to {name}. | {name} works here on {day}. | I am the helper of the {venue}. | Please ask for
                {name}. | {name} opened the {venue} {number} years ago. | My favourite is the {quality} {item}.
            """),
        ),
        "kind": (
            (
                "Thank you for your help.",
                "That was a lovely day.",
                "Your {item} is wonderful!",
                "You are very kind.",
                "We will come again.",
                "thanks a lot",
                "I love the {venue}.",
                "Goodbye!",
                "That helped me.",
                "Have a nice day!",
                "It was my birthday.",
            ),
            phrases("""
                Thank you, we are glad that you liked it. | You are welcome, and see you soon. | That is kind of you. Come again
                on {day}. | I will tell {name}, who made it. | It was a pleasure. | Have a good day!
            """),
        ),
        "idle": (
            phrases("""
                Tell me a joke. | How is the weather? | I am bored. | What should I do today? | Give me some advice. | What is
                new? | Can you recommend something? | I am sad today. | What is that animal over there? | it is cold today | I
                have a cold. | Do you know a good {item}?
            """),
            phrases("""
                Why did the {item} go home? It was tired. | It is a {quality} day, so take a walk. | Try the {quality} {item}, it
                helps. | Then rest a little and have a {item}. | I would take the {colour} one. | There is something new every
                {day}. | That is our {colour} cat.
            """),
        ),
    },
    {
        "venue": words("""
            shop, library, museum, hotel, school, pool, bakery, bookshop, café, restaurant, pharmacy, cinema, theatre, zoo, garden, gym,
            market, farm, station, harbour, campsite, gallery, hospital, office, workshop, hall, club, bank, church, studio
        """),
        "item": words("""
            cake, soup, sandwich, pie, salad, book, map, ticket, towel, coat, lamp, chair, key, bag, cup of tea, coffee, juice, plant, toy,
            bicycle, shirt, pen, newspaper, scone, bowl, box, card, film, boat, room, guide, blanket, umbrella, toast, hat, clock, glass
        """),
        "spot": words("""
            next to the door, behind the green curtain, on the first floor, by the window, under the stairs, at the end of the corridor,
            beside the garden, opposite the bank, in the back room, on the left, near the river, at the corner, behind the church
        """),
        "quality": words("fresh, warm, small, large, quiet, soft, sweet, new, old, light, good, cheap, strong, simple, pretty, big, plain"),
        "colour": words("red, blue, green, yellow, white, black, brown, grey, purple, orange"),
        "day": words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
        "hour": words("seven, eight, nine, ten, half past eight, half past nine, eleven"),
        "late": words("four, five, six, seven, eight, half past five, half past six"),
        "number": words("two, three, four, five, six, seven, eight, ten, twelve, twenty"),
        "sum": words("""
            one pound, two pounds, three dollars, four dollars, five pounds, six euros, seven dollars, eight pounds, nine dollars,
            ten euros, twelve pounds, twenty dollars, fifty cents
        """),
    },
    "You answer the questions of the visitors of a {venue}.",
)
PORTUGUESE = Counter(
    {
        "hours": (
            phrases("""
                A que horas vocês abrem? | Vocês abrem na {day}? | Até que horas posso ficar? | Qual é o horário de funcionamento?
                | que horas fecha | Posso ir depois das {hour}? | Está aberto hoje? | Quando fecha na {day}?
            """),
            phrases("""
                Abrimos às {hour} e fechamos às {late}. | Na {day} abrimos das {hour} às {late}. | Sim, estamos abertos até as
                {late}. | Pode vir a qualquer hora entre {hour} e {late}.
            """),
        ),
        "price": (
            phrases("""
                Quanto custa? | Qual é o preço? | Quanto eu pago? | Tem alguma coisa barata? | Tem desconto para estudantes? |
                Criança paga? | quanto é | Dá para pagar menos de {sum}?
            """),
            ("Custa {sum}.", "São {sum}, e crianças pagam metade.", "Esta semana está por {sum}.", "Estudantes pagam {sum}."),
        ),
        "where": (
            phrases("""
                Onde fica? | Onde é o banheiro? | Onde posso estacionar? | Qual ônibus vai até aí? | Como eu chego? | onde tem
                tomada | Onde posso sentar? | Fica longe da estação?
            """),
            ("Fica {spot}.", "É só seguir em frente, {spot}.", "Estamos em {place}, {spot}.", "Há lugar {spot}."),
        ),
        "booking": (
            phrases("""
                Posso reservar para {number}? | Preciso marcar? | Somos {number}. Tem lugar? | Como eu cancelo? | Posso mudar o
                dia? | Dá para ir na {day}? | Vocês recebem grupos? | Quero marcar para {day}.
            """),
            phrases("""
                Sim, ligue antes de {day}. | Há lugar para {number} na {day}. | Não precisa marcar, venha às {hour}. | Diga o seu
                nome, e guardamos até {day}.
            """),
        ),
        "rules": (
            phrases("""
                Posso levar meu cachorro? | Aceitam cartão? | Posso trocar? | Crianças podem entrar? | Posso tirar fotos? | Vocês
                entregam em casa? | Posso pagar em dinheiro? | Tem acesso para cadeira de rodas?
            """),
            phrases("""
                Sim, sem problema. | Sim, fale antes no balcão. | Não, infelizmente não é permitido. | Aceitamos cartão e
                dinheiro. | Sim, até {day}, com a nota. | Entregamos em {place} por {sum}.
            """),
        ),
        "complaint": (
            phrases("""
                Veio errado. | Está quebrado. | Esperei uma hora! | A comida estava fria. | Paguei duas vezes. | Não gostei. |
                Ninguém atende o telefone. | Perdi meu guarda-chuva aí.
            """),
            phrases("""
                Desculpe. Traga de volta, e damos um novo. | Sentimos muito. Você vai receber o seu dinheiro de volta. | Isso não
                devia ter acontecido. Vamos resolver hoje. | Desculpe a demora.
            """),
        ),
        "kind": (
            (
                "Muito obrigado pela ajuda.",
                "Adorei o lugar.",
                "Vocês são muito gentis.",
                "Voltaremos.",
                "Foi um dia lindo.",
                "obrigada!",
                "Até logo!",
                "Isso me ajudou.",
            ),
            ("De nada, volte sempre.", "Ficamos felizes que gostou.", "Foi um prazer.", "Obrigado, até {day}!"),
        ),
    },
    {
        "spot": words("""
            ao lado da porta, atrás da cortina verde, no primeiro andar, perto da janela, no fim do corredor, em frente ao banco,
            na esquina, à esquerda, perto do rio, no fundo da loja
        """),
        "day": words("segunda-feira, terça-feira, quarta-feira, quinta-feira, sexta-feira"),
        "hour": words("sete, oito, nove, dez, onze"),
        "late": words("cinco, seis, sete, oito da noite, quatro da tarde"),
        "number": words("duas pessoas, três pessoas, quatro pessoas, cinco pessoas, dez pessoas"),
        "sum": words("dois reais, cinco reais, oito reais, dez reais, quinze reais, vinte reais, trinta reais"),
        "venue": words("uma loja, uma biblioteca, um museu, um hotel, um restaurante, uma farmácia, um cinema, uma escola"),
    },
    "Você responde às perguntas dos visitantes de {venue}.",
)


def enquiry(rng: random.Random, part: Part = "train") -> Chat:
    """One question at a counter or two, each with an answer of its kind; sometimes told in a system turn whose counter it is."""
    counter = PORTUGUESE if rng.random() < 0.25 else ENGLISH
    filled = {name: rng.choice(choices) for name, choices in counter.slots.items()}
    turns: list[str] = []
    for topic in rng.sample(list(counter.topics), 1 if rng.random() < 0.8 else 2):
        questions, answers = counter.topics[topic]
        known = filled | {"name": inventions.name(rng), "place": inventions.place(rng)}
        asked, said = (text.format(**known) for text in (pick(rng, questions, part), rng.choice(answers)))
        turns += [asked if rng.random() < 0.85 else asked.lower(), said]
    return exchange(*turns, system=counter.role.format(**filled) if rng.random() < 0.3 else "")
