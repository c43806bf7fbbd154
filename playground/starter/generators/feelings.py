"""First-person sentences that express a feeling, and classification tasks over them.

Knows feelings and how people put them; the wordings of the task itself are those of ``labels``.
"""

from __future__ import annotations

import random

from playground.starter.chatml import Chat, exchange

from .labels import classification_prompt
from .pools import Part, pick, pool, words

# feeling: adjectives after "I feel". Plain knowledge of English; the first names in NAMES are how the label is written.
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "sadness": words("""
        sad, unhappy, miserable, heartbroken, gloomy, hopeless, down, low, blue, lonely, empty, hurt, crushed, defeated, depressed,
        dejected, despondent, disheartened, discouraged, disappointed, devastated, grief-stricken, sorrowful, mournful, melancholy,
        wretched, worthless, useless, unloved, unwanted, abandoned, rejected, neglected, forgotten, isolated, alone, homesick, broken,
        numb, tearful, weepy, shattered, drained, burdened, beaten, humiliated, ashamed, guilty, regretful, remorseful, pathetic,
        inadequate, deprived, ignored, drowned, weary, listless, lifeless, dull, heavy, moody, morose, bereft, troubled, pained, tortured,
        doomed, punished, victimised, messed up, lousy, rotten, awful, terrible, horrible, inferior, helpless in my grief, let down, left
        out, stupid, ugly, dumb, lost, aching, sorry, idiotic, disillusioned, unimportant, unwelcome, whiny, foolish, damaged, disturbed,
        needy, unfortunate, jaded, sentimental and sad, groggy, suffering
    """),
    "joy": words("""
        happy, glad, joyful, cheerful, delighted, thrilled, ecstatic, elated, jubilant, content, pleased, merry, bright, sunny, radiant,
        blissful, overjoyed, excited, energetic, lively, optimistic, hopeful, proud, confident, strong, brave, triumphant, successful,
        accomplished, satisfied, fulfilled, peaceful, calm, relaxed, serene, refreshed, rested, free, grateful, thankful, blessed, lucky,
        fortunate, playful, amused, giggly, festive, inspired, motivated, creative, clever, smart, useful, valued, respected, popular,
        welcome, welcomed, safe, secure, comfortable, cosy, fabulous, fantastic, wonderful, great, terrific, splendid, superb, glorious,
        marvellous, alive, eager, keen, determined, productive, carefree, light, buoyant, gleeful, upbeat, positive, reassured, relieved,
        rich, cool, sociable, charming, elegant, handsome, beautiful, pretty, sweetly content, divine, perfect, worthwhile, vital,
        vibrant, ready, complete, assured, honoured, enthusiastic, resolved
    """),
    "love": words("""
        loving, affectionate, tender, romantic, devoted, adoring, fond, passionate, caring, compassionate, warm towards her, smitten,
        infatuated, enamoured, attached, attracted to him, close to you, sympathetic, sweet on her, gentle, nurturing, supportive,
        generous, loyal, faithful, cherished, beloved, adored, treasured, longing for him, besotted, in love, head over heels,
        tender-hearted, intimate, desired, lovestruck, captivated by her, enchanted by him, nostalgic about us, blessed to have you,
        lovely with you, soft-hearted, hot for her, naughty, accepted by you, admired, delicate, considerate, liked, caring towards them,
        warm-hearted, protective of her, connected to him
    """),
    "anger": words("""
        angry, furious, mad, irritated, annoyed, enraged, livid, outraged, cross, bitter, resentful, hostile, hateful, spiteful, vengeful,
        irate, fuming, seething, infuriated, incensed, exasperated, frustrated, aggravated, agitated, grumpy, grouchy, cranky, irritable,
        impatient, offended, insulted, wronged, cheated, betrayed, disgusted, indignant, jealous, envious, greedy, rude, violent,
        dangerous, cold towards him, heartless, mean, petty, rebellious, stubborn, sarcastic, snappy, provoked, bothered, dissatisfied,
        fed up, sick of it, pissed off, ticked off, worked up, mistreated, savage, selfish, wrathful, vicious, obnoxious, distracted and
        cross, rushed and irritable, disrespected, tormented, hot-headed, quarrelsome, bloody furious, appalled, vile, cynical, unfairly
        blamed, bitchy, stressed and angry
    """),
    "fear": words("""
        afraid, scared, frightened, terrified, anxious, nervous, worried, panicky, uneasy, apprehensive, timid, shy, alarmed, petrified,
        horrified, fearful, tense, jittery, shaky, on edge, restless, insecure, unsure, uncertain, hesitant, reluctant, doubtful,
        suspicious, paranoid, vulnerable, threatened, intimidated, helpless, unprotected, overwhelmed, pressured, distressed, frantic,
        desperate, stressed, agitated with worry, dreadful about tomorrow, spooked, haunted, startled and afraid, trapped, cornered,
        hunted, weak with fear, wary, jumpy, tormented by worry, confused and scared, neurotic, bashful, distraught, skeptical, strange
        and unsafe, unsettled, cowardly, shaken, fretful, apprehensive about flying, inhibited, unnerved, assaulted, tortured by doubt,
        self-conscious, exposed, indecisive
    """),
    "surprise": words("""
        surprised, amazed, astonished, astounded, stunned, shocked, startled, dazed, speechless, dumbfounded, flabbergasted, curious,
        impressed, puzzled, baffled, bewildered, taken aback, staggered, thunderstruck, stupefied, incredulous, awed, wonderstruck,
        perplexed, caught off guard, blown away, funny about it, weird, strange, overcome with wonder, gobsmacked, floored, intrigued,
        mystified, jolted, amazed by the news, unprepared for this, in shock, awestruck, dumbstruck
    """),
    "disgust": words("""
        disgusted, revolted, nauseated, repelled, grossed out, sickened, queasy, repulsed, put off, turned off, contaminated, squeamish,
        nauseous, appalled by the smell, sick to my stomach, dirty, filthy
    """),
    "boredom": words("""
        bored, uninterested, indifferent, apathetic, weary of it all, unstimulated, tired of waiting, restless with nothing to do, dulled,
        half asleep, unamused, listless and idle, disengaged, bored stiff, bored to tears, fed up with doing nothing
    """),
    "pride": words("""
        proud, accomplished, honoured, victorious, dignified, respected, self-assured, distinguished, masterful, worthy, triumphant,
        pleased with myself, proud of my work, proud of my son
    """),
    "gratitude": words("""
        grateful, thankful, appreciative, indebted, blessed, obliged, moved by your kindness, touched, deeply thankful, much obliged, full
        of thanks
    """),
    "loneliness": words("""
        lonely, alone, isolated, friendless, left out, abandoned, deserted, cut off, solitary, forsaken, excluded, companionless, unseen,
        far from everyone
    """),
    "guilt": words("""
        guilty, ashamed, remorseful, at fault, sorry, to blame, regretful, apologetic, dishonest, bad about what I said, contrite,
        responsible for the accident
    """),
    "confusion": words("""
        confused, puzzled, baffled, lost, muddled, bewildered, unsure, mixed up, perplexed, disoriented, foggy, uncertain what to do, at a
        loss, unclear about it
    """),
    "calm": words("""
        calm, peaceful, relaxed, serene, tranquil, at ease, composed, settled, untroubled, quiet, mellow, soothed, still, unhurried,
        centred, at peace
    """),
    "excitement": words("""
        excited, thrilled, eager, pumped, psyched, animated, wound up, buzzing, impatient to start, enthusiastic, exhilarated, fired up,
        on top of the world, giddy
    """),
    "hope": words("""
        hopeful, optimistic, encouraged, confident about tomorrow, positive, expectant, heartened, reassured, full of hope, sure it will
        work out, upbeat about the future
    """),
}

# Events from which a reader infers the feeling although no word names it.
EVENTS: dict[str, tuple[str, ...]] = {
    "sadness": words("""
        my grandmother died last night, my dog passed away this morning, she left and never said goodbye, i failed the exam again, nobody
        came to my party, i cried myself to sleep, i lost my job on monday, my best friend moved away, i miss my father so much, we had to
        sell the old house, he does not love me any more, my heart is in pieces, i sat by the grave for an hour, i did not get the place
        at the school, i have no one to talk to, the tears would not stop, we lost the baby, the divorce came through today, i keep
        looking at her empty chair, all my hard work was for nothing
    """),
    "joy": words("""
        we won the cup, i passed every exam, the sun is out and the birds are singing, i got the job, my sister had a healthy baby, we
        danced until midnight, i finally finished my book, it was the best holiday of my life, the doctor said i am well again, my team
        came first, i laughed until my sides hurt, we are going to the beach tomorrow, i got a new bicycle for my birthday, what a perfect
        morning, my garden is in full bloom, i woke up smiling, school is out for the summer, everything went well today, my daughter took
        her first steps, i ran the whole race
    """),
    "love": words("""
        i adore my husband, she is the one i want to grow old with, i kissed him under the stars, you mean the world to me, i hug my
        children every night, i think of her every hour, he holds my hand and i melt, i wrote her a love letter, we are getting married in
        june, my heart beats faster when he comes in, i would do anything for my family, i cherish every moment with you, i miss his arms
        around me, i gave her my heart, he is my soulmate, i love the way she laughs
    """),
    "anger": words("""
        he lied to my face again, they stole my bike, my neighbour plays loud music all night, the company will not refund my money, she
        broke my phone and laughed, i have been on hold for two hours, how dare he speak to me like that, they cut in line in front of me,
        my boss blamed me for his mistake, i slammed the door, he never listens, someone scratched my car, they cancelled my flight and
        did not say why, i want to shout at all of them, this is the third time they sent the wrong order, he took the credit for my work,
        stop calling me at night, i am sick of their excuses
    """),
    "fear": words("""
        i hear footsteps behind me, i think someone is in the house, i have to speak before the whole school tomorrow, the doctor wants to
        see me about the results, i cannot look down from up here, my hands shake when the plane takes off, what if i lose everything, the
        storm is coming closer, i have nightmares every night, i am about to have surgery, a big dog ran at me, the lights went out and i
        was alone, i do not dare to open the letter, my heart pounds before every test, i may lose my home, i cannot sleep for thinking
        about the war, there is a spider in my bed, he might hurt me
    """),
    "surprise": words("""
        i never saw that coming, they threw me a party and i had no idea, i cannot believe he said yes, out of nowhere she called me, i
        opened the box and there was a kitten, wow who would have thought, i won the raffle without knowing i had a ticket, he walked in
        after ten years abroad, what on earth is that, it snowed in july, my quiet brother is a singer, i found money in an old coat, the
        answer was not at all what i expected, suddenly everyone jumped out and shouted
    """),
    "disgust": words("""
        there was a hair in my soup, the milk had gone sour, the bathroom smelled of sewage, i stepped in something slimy, he chews with
        his mouth open, there were worms in the apple, the meat was green, the kitchen was full of cockroaches
    """),
    "boredom": words("""
        there is nothing to do here, the lecture went on for three hours, every day is the same, i keep looking at the clock, i have
        watched this film ten times, i am waiting at the station with no book, the meeting could have been a letter
    """),
    "gratitude": words("""
        thank you for staying with me, i owe you so much, the nurses were so kind to me, you saved my day, i will never forget what you
        did for us, my teacher believed in me and it changed my life, thanks to all who helped
    """),
    "loneliness": words("""
        i eat dinner by myself every night, no one ever calls me, everyone here has a friend but me, i spent the holidays alone, i sit by
        the window and nobody passes, i moved here and know no one
    """),
}

# Other ways to write each label.
NAMES: dict[str, tuple[str, ...]] = {
    "sadness": ("sadness", "sad", "sorrow"),
    "joy": ("joy", "happy", "happiness"),
    "love": ("love", "loving", "affection"),
    "anger": ("anger", "angry", "rage"),
    "fear": ("fear", "afraid", "scared"),
    "surprise": ("surprise", "surprised", "astonishment"),
    "disgust": ("disgust", "disgusted"),
    "boredom": ("boredom", "bored"),
    "pride": ("pride", "proud"),
    "gratitude": ("gratitude", "thankful"),
    "loneliness": ("loneliness", "lonely"),
    "guilt": ("guilt", "guilty"),
    "confusion": ("confusion", "confused"),
    "calm": ("calm", "peace"),
    "excitement": ("excitement", "excited"),
    "hope": ("hope", "hopeful"),
}

# Feelings too close to be told apart in one label set.
_CLOSE = (
    {"joy", "pride", "gratitude", "calm", "excitement", "hope"},
    {"sadness", "loneliness", "guilt", "boredom"},
    {"surprise", "confusion"},
    {"love", "gratitude"},
    {"anger", "disgust"},
    {"fear", "confusion"},
)

_SENTENCES = (
    "i feel {a}",
    "i feel so {a}",
    "i am feeling {a}",
    "i feel really {a} today",
    "i was feeling {a} {when}",
    "i feel {a} {why}",
    "i feel a little {a} {why}",
    "i am {a} {why}",
    "i still feel {a}",
    "i have been feeling {a} {when}",
    "i just feel {a} and {tail}",
    "{when} i felt {a} {why}",
    "i don't know why i feel so {a}",
    "i started feeling {a} {why}",
    "i can't help feeling {a} {why}",
    "i feel very {a} {when}",
    "i woke up feeling {a}",
    "it makes me feel {a} {why}",
    "i know i feel {a} {why}",
    "sometimes i feel {a} {why}",
    "i hate to say it but i feel {a}",
    "i think i feel {a} because of {thing}",
    "{thing} makes me feel {a}",
    "{thing} left me feeling {a}",
    "im feeling {a} {why}",
    "i feel like i am {a}",
    "i feel {a} about {thing}",
    "i came home feeling {a} {why}",
    "i must say i feel {a} {when}",
    "i feel {a} and {b}",
    "i feel {a} but i also know {tail}",
    "i walked away feeling {a} and {b}",
    "to be honest i feel {a}",
    "i feel as {a} as ever",
    "i have never felt so {a}",
    "i remember feeling {a} {when}",
    "my friends say i look {a}",
    "i left {thing} feeling {a}",
    "i wonder why i feel {a} {when}",
    "i feel rather {a} tonight and {tail}",
    "when i think of {thing} i feel {a}",
    "i tell myself not to feel {a} {why}",
)
_WHEN = words("""
    today, this morning, last night, these days, lately, all week, since sunday, after dinner, at work, at school, on the way home, right
    now, this evening, for weeks, every single day, while i was waiting, in the middle of the night, during lunch, over the holidays, at
    the weekend
""")
_WHY = words("""
    about {thing}, because of {thing}, after {thing}, when i think about {thing}, whenever i hear about {thing}, with {thing}, before
    {thing}, since {thing}, and it is all because of {thing}
""")
_THING = words("""
    the meeting, my new job, the exam, the letter, my sister, my brother, the trip, the weather, the move, our house, the phone call, my
    garden, the news, the wedding, my teacher, the team, the game, my health, the party, this city, the neighbours, my writing, the
    interview, our dog, the hospital, money, the future, the past, my mother, my father, the children, that song, the film, my studies,
    the bus ride, the results, my birthday, the holidays, my old friends, the long winter, everything, what she said, what he did, how
    things turned out, my body, the baby, the new house, the way they looked at me, my life here, the whole thing, the book i read, my
    project, the concert, the dinner, the storm
""")
_TAIL = words("""
    i want to write about it, it shows, i do not know what to do next, everyone can see it, i cannot explain it, it will not go away, i
    told my mother so, that is the truth, i need to talk about it, i want to remember this, nothing can change that, it grows every day, i
    wish you could see me, i think it is natural, i went for a walk, i stayed in bed, i called my best friend, people around me notice
""")


def sentence(rng: random.Random, feeling: str, part: Part = "train") -> str:
    """A first-person sentence in lower case or as written English that expresses the feeling."""
    if feeling in EVENTS and rng.random() < 0.25:
        text = pick(rng, EVENTS[feeling], part)
        if rng.random() < 0.3:
            text += f" and i feel {rng.choice(ADJECTIVES[feeling])}"
    else:
        template = pick(rng, _SENTENCES, part)
        if "{why}" in template:
            template = template.replace("{why}", rng.choice(_WHY) if rng.random() < 0.7 else "").strip()
        text = template.format(
            a=rng.choice(ADJECTIVES[feeling]),
            b=rng.choice(ADJECTIVES[feeling]),
            when=rng.choice(_WHEN),
            thing=rng.choice(_THING),
            tail=rng.choice(_TAIL),
        )
        if rng.random() < 0.3:
            text += f" {rng.choice(('and', 'so', 'because'))} {rng.choice(_TAIL) if rng.random() < 0.5 else 'of ' + rng.choice(_THING)}"
            text = text.replace(" and of ", " because of ").replace(" so of ", " because of ")
    if rng.random() < 0.35:
        text = text[0].upper() + text[1:] + rng.choice((".", ".", "!"))
        text = text.replace(" i ", " I ").replace(" im ", " I'm ").replace("Im ", "I'm ")
    return text


def label_set(rng: random.Random) -> list[str]:
    """Three to six feelings that a reader can tell apart; often the six basic ones."""
    if rng.random() < 0.35:
        return ["sadness", "joy", "love", "anger", "fear", "surprise"]
    wanted = rng.randint(2, 6)
    chosen: list[str] = []
    candidates = list(ADJECTIVES)
    rng.shuffle(candidates)
    for candidate in candidates:
        if len(chosen) < wanted and not any(candidate in close and other in close for close in _CLOSE for other in chosen):
            chosen.append(candidate)
    return chosen


def feeling(rng: random.Random, part: Part = "train") -> Chat:
    """Classify one sentence by feeling; the answer is the label alone."""
    labels = label_set(rng)
    truth = rng.choice(labels)
    style = rng.choice((0, 0, 0, 1, 2))
    shown = {label: NAMES[label][min(style, len(NAMES[label]) - 1)] for label in labels}
    if rng.random() < 0.2:
        shown = {label: name.capitalize() for label, name in shown.items()}
    order = list(labels)
    rng.shuffle(order)
    text = sentence(rng, truth, part)
    prompt, system = classification_prompt(rng, text, [shown[label] for label in order], part, "feeling")
    return exchange(prompt, shown[truth], system=system)


def mood_question(rng: random.Random, part: Part = "train") -> Chat:
    """Ask how the writer of a sentence feels; the answer is a short sentence or yes or no."""
    truth = rng.choice(pool(list(ADJECTIVES), "train"))
    text = sentence(rng, truth, part)
    if rng.random() < 0.5:
        asked = rng.choice([truth, rng.choice([f for f in ADJECTIVES if not any({f, truth} <= close for close in _CLOSE)])])
        question = rng.choice(("Does the writer feel {}?", "Is the feeling in this sentence {}?", "Is this about {}?")).format(
            NAMES[asked][0]
        )
        return exchange(f"{text}\n\n{question} Answer yes or no.", "Yes" if asked == truth else "No")
    question = rng.choice(("How does the writer feel?", "Which feeling does this express?", "What is the mood of this sentence?"))
    return exchange(f"{question}\n\n{text}", f"The writer expresses {NAMES[truth][0]}.")
