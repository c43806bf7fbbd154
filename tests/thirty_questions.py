"""Thirty questions, by a person who had read them, to real documents: acts of a university (scans among them), a course offer, tales."""

from __future__ import annotations

from pathlib import Path

# (question, part of the file's name, page, what the right sentence holds); None: the documents do not tell
QUESTIONS: list[tuple[str, str | None, int | None, str | None]] = [
    ("Qual é o prazo para pedir segunda chamada?", "048_2009", 1, "3 (três) dias"),
    ("Em quantos dias deve ocorrer o exame de segunda chamada depois que o professor recebe o pedido?", "048_2009", 2, "10 (dez) dias"),
    ("Qual é o limite máximo de créditos optativos que o aluno pode cursar?", "18_93", 1, "25%"),
    ("Quem fica vedado de preencher o Diário de Classe?", "32_2016", 2, "terceiros"),
    ("Quando o discente será excluído do cadastro da universidade?", "030_2015", 1, "tempo máximo"),
    ("Quantos semestres sem matrícula levam à exclusão do discente?", "030_2015", 1, "04 (quatro)"),
    ("Em que cidade fica a sede da Universidade do Amazonas?", "ESTATUTO", 1, "Manaus"),
    ("Que lei criou a Universidade do Amazonas?", "ESTATUTO", 1, "4.069-A"),
    ("O que é acessibilidade segundo a lei?", "10.098", 1, "possibilidade e condição"),
    ("Quem é responsável direto pela oferta das disciplinas?", "018_2012", 2, "coordenador de curso"),
    ("Quem faz o acompanhamento e a supervisão da oferta de disciplinas?", "018_2012", 2, "PROEG"),
    ("É permitida a inclusão de alunos não matriculados em turmas?", "026_2007", 1, "Proíbe"),
    ("Que comprovante é preciso para o estágio não obrigatório?", "039_2019", 2, "matrícula"),
    ("A quem compete conceder estágio não obrigatório ao aluno?", "039_2019", 2, "Departamento de Programas"),
    ("Sobre o que dispõe a Portaria 1.095?", "1.095", 1, "diplomas"),
    ("O que são atividades práticas nos cursos de graduação?", "Publica", 1, "didático-pedagógicas"),
    ("Que alunos merecem tratamento excepcional?", "1044_69", 1, "afecções"),
    ("Qual é o horário da disciplina Cibersegurança?", "course_schedule", 2, "17:00/18:40"),
    ("Quem é o docente de Robótica Móvel?", "course_schedule", 2, "Douglas"),
    ("Quantas vagas tem a disciplina Aprendizado Profundo?", "course_schedule", 1, "40"),
    ("Quem ensina Aprendizado por Reforço?", "course_schedule", 1, "Luiz Chaimowicz"),
    ("Qual disciplina teve a oferta cancelada?", "course_schedule", 1, "Computação Natural"),
    ("Who stole the golden apples?", "grimms", None, "bird"),
    ("What did the tailor write on his girdle?", "grimms", None, "Seven at one stroke"),
    ("How did Rapunzel let the enchantress up the tower?", "grimms", None, "braids of her hair"),
    ("Who ate the grandmother in Little Red-Cap?", "grimms", None, "devoured"),
    ("What could the dwarf Rumpelstiltskin spin?", "grimms", None, "gold"),
    ("Quantos jogadores tem um time de futebol?", None, None, None),
    ("Who won the world cup in 1998?", None, None, None),
    ("Qual é o preço do almoço no restaurante universitário?", None, None, None),
]


def documents(shared_data: Path) -> list[Path]:
    """The eighteen files that are asked, acts first."""
    reports = shared_data / "reports"
    acts = [*sorted((reports / "ufam_pdf").glob("*.pdf")), reports / "course_schedule_pt.pdf"]
    return [*acts, shared_data / "documents/gov_public_domain/grimms_fairy_tales.pdf"]
