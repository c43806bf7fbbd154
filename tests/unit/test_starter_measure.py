"""How the starter is measured: scores, exams and the card's section."""

from __future__ import annotations

import csv
import io
import tarfile

import pytest

from playground.starter import card, exams, measure
from playground.starter.generators.mixture import GENERATORS


@pytest.mark.parametrize(
    ("given", "right", "value"),
    [
        ("The red fox.", "red fox", 1.0),
        ("a fox", "the hen", 0.0),
        ("red fox ran", "red hen ran far", 4 / 7),
        ("", "fox", 0.0),
        ("the", "", 1.0),
    ],
)
def test_f1_counts_words(given, right, value):
    assert measure.f1(given, right) == pytest.approx(value)


def test_the_better_of_the_right_answers_counts():
    exam = [exams.Asked((), ("a hen", "the red fox"))] * 2
    assert measure.score(exam, ["Red fox!", "hen house"]) == {"questions": 2, "exact": 0.5, "f1": pytest.approx((1 + 2 / 3) / 2)}


def test_repetition_is_the_share_of_runs_seen_before():
    assert measure.repetition("one two three four five") == 0.0
    assert measure.repetition("a b c d a b c d a b c d") == pytest.approx(5 / 9)
    assert measure.repetition("short") == 0.0


def test_skills_are_asked_in_wordings_that_training_does_not_use():
    asked = exams.skills(5)
    assert {*GENERATORS} <= {*asked}
    assert asked == exams.skills(5)
    for exam in asked.values():
        assert all(one.turns[-1].role == "user" and one.answers[0] for one in exam)


def test_pira_is_parted_by_whether_the_text_answers(tmp_path):
    fields = ["abstract", "abstract_translated_pt", "at_labels"]
    fields += [
        f"{what}_{language}_{kind}" for what in ("question", "answer") for language in ("en", "pt") for kind in ("origin", "validate")
    ]
    with (tmp_path / "pira.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        row = {
            "abstract": "The sea is salt.",
            "question_en_origin": "What is salt?",
            "answer_en_origin": "The sea",
            "answer_en_validate": "",
        }
        writer.writerow({**row, "at_labels": "1.0"})
        writer.writerow({**row, "at_labels": "0.0"})
    told, untold = exams.pira(tmp_path / "pira.csv", "en")
    assert told[0].answers == ("The sea",) and told[0].turns[0].content == "The sea is salt.\n\nWhat is salt?"
    assert untold[0].answers == ("The text does not say.",)


def test_fairytales_take_every_answer_of_one_section(tmp_path):
    head = "question_id,cor_section,question,answer1,answer2,answer3,answer4,answer5,answer6\n"
    files = {
        "f/section-stories/val/one-story.csv": "section,text\n1,A fox ran.\n2,A hen sat.\n",
        "f/questions/val/one-questions.csv": head + '1,1,Who ran?,a fox,,,the fox,,\n2,"1,2",Who?,both,,,,,\n',
        "f/questions/train/two-questions.csv": head + "1,1,Never?,no,,,,,\n",
    }
    archive = tmp_path / "fairytaleqa.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    exam = exams.fairytales(archive)
    assert [asked.answers for asked in exam] == [("a fox", "the fox")]
    assert exam[0].turns[0].content == "A fox ran.\n\nWho ran?"


def test_a_section_of_the_card_is_put_in_and_put_anew():
    text = "# Model\n\n## Data\n\nsome\n\n## Limits\n\nmany\n"
    once = card.put_section(text, "Measured", "first\n")
    twice = card.put_section(once, "Measured", "second\n")
    assert "first" in once and "first" not in twice
    assert twice.index("## Data") < twice.index("## Measured") < twice.index("second") < twice.index("## Limits")
    assert twice.count("## Measured") == 1 and twice.endswith("many\n")
