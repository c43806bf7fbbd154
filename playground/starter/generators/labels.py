"""Classification tasks with given labels: the wordings of the task, and topics, sentiment, urgency, spam and others.

Knows label sets with example phrases; feelings are in ``feelings``.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from .pools import Part, pick, words

_ASK = (
    "Classify the text as one of: {labels}.\n\n{text}",
    "Which label fits the text best: {or_labels}?\n\nText: {text}",
    "{text}\n\nChoose one label: {labels}.",
    "Labels: {labels}\nText: {text}\nLabel:",
    "Read the text and answer with one of {labels}.\n\n{text}",
    "What is the {kind} of this text? Options: {labels}.\n\n{text}",
    "Sort this message into one of these groups: {labels}.\n{text}",
    "Text: {text}\nPossible answers: {labels}\nAnswer:",
    'Is the {kind} {or_labels}?\n\n"{text}"',
    "Assign a category ({labels}).\n\n{text}",
    "Pick the right {kind} for the sentence.\n{labels}\n\nSentence: {text}",
    "Tell me the {kind}: {labels}.\n\n{text}",
    "Classifique o texto como um destes: {labels}.\n\n{text}",
)
_SYSTEM = (
    "Classify each message as one of: {labels}. Answer with the label only.",
    "You label texts. The labels are {labels}.",
    "Answer with exactly one of these words: {labels}.",
    "You sort messages by {kind}. Labels: {labels}.",
)


def classification_prompt(rng: random.Random, text: str, labels: list[str], part: Part, kind: str = "category") -> tuple[str, str]:
    """(user prompt, system prompt): the labels stand in one of the two; the system prompt is often empty."""
    listed = rng.choice((", ", ", ", " / ", " | ")).join(labels)
    values = {"labels": listed, "or_labels": ", ".join(labels[:-1]) + " or " + labels[-1], "text": text, "kind": kind}
    if rng.random() < 0.3:
        return text, pick(rng, _SYSTEM, "train").format(**values)
    return pick(rng, _ASK, part).format(**values), ""


# kind -> label -> (sentence frames, words that fill {x})
_KINDS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "topic": {
        "sports": (
            (
                "The {x} scored in the last minute of the match",
                "Our team lost because the {x} was hurt",
                "The coach praised the {x} after training",
                "Fans cheered when the {x} came out",
            ),
            words("""
                        striker, goalkeeper, champion, runner, swimmer, boxer, pitcher, captain, cyclist, tennis star
                    """),
        ),
        "food": (
            (
                "Fry the {x} with a little garlic and salt",
                "This soup needs more {x}",
                "We had {x} with rice for dinner",
                "Bake the {x} for twenty minutes",
            ),
            words("onions, potatoes, chicken, mushrooms, carrots, salmon, beans, peppers, pumpkin, cheese, tomatoes"),
        ),
        "travel": (
            (
                "We took the night train to {x}",
                "The hotel in {x} was close to the beach",
                "Flights to {x} are cheap in autumn",
                "Pack light if you visit {x}",
            ),
            words("Lisbon, Rome, Cairo, Lima, Kyoto, Oslo, Manaus, Nairobi, Sydney, Madrid, Athens"),
        ),
        "health": (
            (
                "The doctor gave me pills for my {x}",
                "Drink water and rest if you have {x}",
                "A nurse checked her {x}",
                "Exercise can ease {x}",
            ),
            words("headache, fever, back pain, cough, blood pressure, sore throat, allergy, heart, knee pain, flu"),
        ),
        "technology": (
            (
                "The new {x} has a faster chip",
                "My {x} will not connect to the network",
                "They released an update for the {x}",
                "How do I reset my {x}",
            ),
            words("phone, laptop, printer, router, tablet, camera, browser, keyboard, robot, headset"),
        ),
        "money": (
            ("The bank raised the {x} again", "She pays her {x} every month", "I want to ask about my {x}", "The {x} went up this year"),
            words("interest rate, loan, rent, mortgage, taxes, salary, pension, credit card bill, insurance, savings"),
        ),
        "music": (
            ("The {x} played all evening", "I am learning the {x}", "Her new song begins with a {x}", "The {x} was out of tune"),
            words("piano, violin, guitar, drum, choir, flute, orchestra, trumpet, cello, band"),
        ),
        "animals": (
            ("The {x} slept under the tree", "A {x} lives near the river", "We saw a {x} with its young", "The {x} eats leaves and fruit"),
            words("fox, elephant, owl, hedgehog, otter, parrot, deer, turtle, wolf, monkey, squirrel"),
        ),
        "weather": (
            (
                "Expect {x} in the north tomorrow",
                "The {x} lasted all night",
                "There will be {x} by the evening",
                "After the {x} the roads were closed",
            ),
            words("heavy rain, snow, strong wind, thunder, fog, sunshine, hail, frost, a storm, a heat wave"),
        ),
        "school": (
            (
                "The pupils handed in their {x}",
                "Our teacher explained the {x}",
                "I have to study for the {x}",
                "She got a good mark for her {x}",
            ),
            words("homework, essay, exam, science project, spelling test, history lesson, reading, algebra, drawing, report"),
        ),
        "politics": (
            ("The minister spoke about {x}", "Voters care most about {x}", "Parliament passed a law on {x}", "The mayor promised {x}"),
            words("taxes, housing, schools, the border, clean air, health care, pensions, new roads, crime, reform"),
        ),
    },
    "sentiment": {
        "positive": (
            (
                "The {x} was wonderful and I would come again",
                "I love this {x}",
                "Great {x}, works perfectly",
                "Best {x} I ever bought",
                "The {x} was better than I expected",
                "Friendly staff and a lovely {x}",
                "I am very happy with the {x}",
                "Excellent {x}, fast and cheap",
            ),
            words("""
                         film, hotel, book, restaurant, phone, service, chair, meal, coffee, show, bag, room, game, jacket, lamp, bike,
                         tour, cake
                     """),
        ),
        "negative": (
            (
                "The {x} was awful and I want my money back",
                "I hate this {x}",
                "Poor {x}, broke after one day",
                "Worst {x} I ever bought",
                "The {x} was a great disappointment",
                "Rude staff and a dirty {x}",
                "I am not happy with the {x}",
                "Terrible {x}, slow and dear",
            ),
            words("""
                         film, hotel, book, restaurant, phone, service, chair, meal, coffee, show, bag, room, game, jacket, lamp, bike,
                         tour, cake
                     """),
        ),
        "neutral": (
            (
                "The {x} is on the second floor",
                "I bought the {x} on Tuesday",
                "The {x} is made of wood and glass",
                "There are two kinds of {x}",
                "The {x} opens at nine",
                "This {x} comes in blue and grey",
            ),
            words("""
                         shop, table, museum, box, library, door, office, gallery, lamp, market, desk
                     """),
        ),
    },
    "urgency": {
        "urgent": (
            (
                "Help, the {x} is on fire",
                "The {x} stopped and customers are waiting, come now",
                "I need the {x} within the hour",
                "Emergency: the {x} is leaking badly",
                "The {x} must be fixed immediately",
            ),
            words("""
                        machine, server, kitchen, pump, lift, car, boiler, system, cable, engine
                    """),
        ),
        "normal": (
            (
                "Please look at the {x} this week",
                "The {x} makes a small noise, can someone check it",
                "Could you order a {x} for Friday",
                "The {x} should be cleaned before the month ends",
            ),
            words("""
                        machine, server, kitchen, pump, lift, car, boiler, system, cable, engine
                    """),
        ),
        "low": (
            (
                "When you have time, paint the {x}",
                "No hurry, but the {x} could be moved some day",
                "It would be nice to have another {x} in the future",
                "The {x} can wait until next year",
            ),
            words("door, shelf, sign, wall, bench, fence, lamp, cupboard, window, gate"),
        ),
    },
    "type": {
        "spam": (
            (
                "Congratulations, you won a free {x}, click here",
                "Buy cheap {x} now, limited offer!!!",
                "Claim your {x} today, send your card number",
                "Get rich with {x}, no risk",
            ),
            words("phone, cruise, watch, pills, loan, gift card, bitcoin, laptop, car, prize"),
        ),
        "not spam": (
            (
                "Can you bring the {x} on Monday",
                "I put the {x} on your desk",
                "Thanks for the {x}, talk soon",
                "Mum asks if you still have the {x}",
            ),
            words("keys, notes, cake, photos, report, ladder, tickets, umbrella, book, letter"),
        ),
    },
    "kind": {
        "question": (
            ("Where is the {x}", "How much does the {x} cost", "Do you know who took the {x}", "When will the {x} arrive"),
            words("ladder, bus, parcel, ticket, doctor, key, meeting, bread, train, coat"),
        ),
        "request": (
            ("Please send me the {x}", "Could you open the {x} for me", "Bring the {x} here, please", "I would like to change my {x}"),
            words("file, window, order, address, box, password, booking, list, door, seat"),
        ),
        "complaint": (
            ("The {x} arrived broken", "I was charged twice for the {x}", "Nobody answered my mail about the {x}", "The {x} is late again"),
            words("parcel, bill, table, booking, delivery, ticket, sofa, subscription, order, bus"),
        ),
        "thanks": (
            (
                "Thank you for the {x}",
                "I really liked the {x}, thanks",
                "Many thanks for your help with the {x}",
                "The {x} was great, thank you so much",
            ),
            words("flowers, advice, lift, dinner, repair, lesson, gift, book, visit, quick answer"),
        ),
    },
    "language": {
        "English": (
            ("The {x} is in the garden", "We bought a new {x}", "My {x} is very old", "Where did you put the {x}"),
            words("""
            house, dog, table, book, car, tree, boat
        """),
        ),
        "Portuguese": (
            ("O {x} está no jardim", "Nós compramos um {x} novo", "Meu {x} é muito velho", "Onde você colocou o {x}"),
            words("cachorro, livro, carro, barco, gato, caderno, sapato"),
        ),
    },
}
_OPENINGS = words("Hello, Hi there, Good morning, Dear team, Hey, Just so you know, To whom it may concern")


def labelled(rng: random.Random, part: Part = "train") -> Chat:
    """Classify one sentence by topic, sentiment, urgency and the like; the answer is the label alone."""
    kind = rng.choice(("topic", "topic", "topic", "sentiment", "sentiment", "urgency", "type", "kind", "language"))
    sets = _KINDS[kind]
    labels = rng.sample(list(sets), min(len(sets), rng.randint(2, 6)))
    truth = rng.choice(labels)
    frames, fill = sets[truth]
    text = rng.choice(frames).format(x=pick(rng, fill, part))
    if kind != "language" and rng.random() < 0.2:
        text = f"{rng.choice(_OPENINGS)}, {text[0].lower()}{text[1:]}"
    text = text.lower() if rng.random() < 0.2 else text + ("?" if truth == "question" else rng.choice((".", ".", "!")))
    change = rng.choice((str, str, str, str.capitalize, str.upper))
    prompt, system = classification_prompt(rng, text, [change(label) for label in labels], part, kind)
    return exchange(prompt, change(truth), system=system)
