"""The words for every kind of finding: what was found, what repairing it does, and why a row or a cell was changed.

Nothing here holds the content of a cell, which may be private or hostile; the name of a column may appear.
"""

from __future__ import annotations

DOCTOR_FINDINGS = {
    "sampled": (
        "The table is large: {total:,} rows. {count:,} of them, drawn by chance, were looked over, and what is counted below is counted in "
        "those; equal rows, empty cells and columns that say nothing are counted in all."
    ),
    "empty_column": "The column {column} is empty in every row.",
    "constant_column": "The column {column} has the same value in every row, so nothing can be learnt from it.",
    "numbers_as_text": (
        "The column {column} holds numbers that are written as text, with currency signs, percent signs or separators. "
        "Cells that would be written differently: {count:,}."
    ),
    "numbers_unclear": (
        "The column {column} holds numbers whose separator can be read in two ways (is 1,234 a thousand, or a bit more than one?), "
        "or that have different units. Cells: {count:,}. They cannot be turned into numbers without guessing."
    ),
    "not_numbers": "Nearly all cells of the column {column} are numbers, but some are not: {count:,}. Correct these by hand.",
    "date_spellings": "The column {column} has dates in several spellings. Cells that are not year-month-day: {count:,}.",
    "dates_unclear": (
        "The column {column} has dates in several spellings, and it is not clear which number is the day and which the month or the "
        "century. Cells that are not year-month-day: {count:,}. Correct these by hand."
    ),
    "unused_columns": "Columns that the task does not use: {columns}.",
    "duplicate_rows": "Rows that are exactly the same as an earlier row: {count:,}.",
    "near_duplicates": "Rows whose {column} is nearly the same as in an earlier row: {count:,}.",
    "not_compared": "The table is large, so the last rows were not compared with the others for being nearly the same. Rows: {count:,}.",
    "missing_prompts": "Rows without a question, because {column} is empty: {count:,}. The model cannot learn from them.",
    "missing_answers": "Rows without an answer, because {column} is empty: {count:,}. The model cannot learn from them.",
    "conflicting_answers": (
        "Rows that answer a question in another way than most other rows with the same question: {count:,}. The model would learn to waver."
    ),
    "leakage": (
        "Rows kept for judging the model that are nearly the same as rows it learns from: {count:,}. "
        "The model would look better than it is."
    ),
    "long_rows": (
        "Rows that are longer than the model can take ({most:,} tokens, which are pieces of words): {count:,}. "
        "The beginning of their question would be cut off."
    ),
    "few_rows": "Rows that can be learnt from: {count:,}. That is too few to learn much; a few hundred is a good start.",
    "odd_characters": "Cells of {column} with invisible or unprintable characters: {count:,}.",
    "lost_characters": (
        "Cells of {column} with characters that were lost before the file came here and show as a question mark in a diamond: {count:,}. "
        "Export the file again as UTF-8 if you can."
    ),
    "spreadsheet_errors": "Cells of {column} in which a spreadsheet shows an error, such as #N/A or #REF!, and no value: {count:,}.",
    "mojibake": "Cells of {column} with garbled letters, as when Ã© stands where é should: {count:,}.",
    "markup": "Cells of {column} with the marks of web pages (HTML), such as <p> or &amp;: {count:,}.",
    "scan_debris": "Cells of {column} with leftovers of scanning, such as words cut at the end of a line: {count:,}.",
    "white_space": "Cells of {column} with stray blanks: at the start or the end, doubled, or of an unusual kind: {count:,}.",
    "label_spellings": "Cells of {column} that differ from a more frequent answer only by capitals, blanks or a final point: {count:,}.",
    "imbalance": (
        "The answers in {column} are unevenly spread: {largest:,} rows have the most frequent one, {smallest:,} the rarest. "
        "The model may prefer the frequent one."
    ),
    "rare_labels": "Rows whose answer in {column} comes up fewer than {enough} times: {count:,}. Such answers are hardly learnt.",
    "personal_email": "Cells of {column} with e-mail addresses: {count:,}. A model can repeat them.",
    "personal_phone": "Cells of {column} with telephone numbers: {count:,}. A model can repeat them.",
    "personal_card": "Cells of {column} with payment card numbers: {count:,}. A model can repeat them.",
    "personal_cpf": "Cells of {column} with CPF numbers, which name a person in Brazil: {count:,}. A model can repeat them.",
    "personal_cnpj": "Cells of {column} with CNPJ numbers, which name a company in Brazil: {count:,}. A model can repeat them.",
    "personal_ip": "Cells of {column} with internet (IP) addresses: {count:,}. A model can repeat them.",
}
DOCTOR_FIXES = {
    "empty_column": "Leave out the column.",
    "constant_column": "Leave out the column.",
    "unused_columns": "Leave out these columns, before anything else: rows that differ only there then count as equal.",
    "numbers_as_text": "Turn the column into numbers without signs and separators; cells that say “n/a” become empty.",
    "date_spellings": "Write all dates as year-month-day, like 2024-03-31.",
    "duplicate_rows": "Keep the first of equal rows and leave out the others.",
    "near_duplicates": "Keep the first of rows that are nearly the same and leave out the others.",
    "missing_prompts": "Leave out these rows.",
    "missing_answers": "Leave out these rows.",
    "conflicting_answers": "Keep the rows with the most frequent answer to each question, or the first one, and leave out the others.",
    "leakage": "Leave out those of the rows that are kept for judging.",
    "long_rows": "Leave out these rows.",
    "odd_characters": "Remove these characters.",
    "spreadsheet_errors": "Make these cells empty.",
    "mojibake": "Restore the letters.",
    "markup": "Turn it into plain text; paragraphs stay apart.",
    "scan_debris": "Join the words that were cut, and remove lines of stray marks.",
    "white_space": "Tidy the blanks; line breaks stay.",
    "label_spellings": "Use the most frequent spelling of each answer.",
    "personal_email": "Put [e-mail] in their place.",
    "personal_phone": "Put [phone] in their place.",
    "personal_card": "Put [card] in their place.",
    "personal_cpf": "Put [CPF] in their place.",
    "personal_cnpj": "Put [CNPJ] in their place.",
    "personal_ip": "Put [IP] in their place.",
}
DOCTOR_REASONS = {
    "numbers_as_text": "turned into a number",
    "date_spellings": "date written as year-month-day",
    "duplicate_rows": "same as an earlier row",
    "near_duplicates": "nearly the same as an earlier row",
    "missing_prompts": "no question",
    "missing_answers": "no answer",
    "conflicting_answers": "another answer is more frequent",
    "leakage": "nearly the same as a row to learn from",
    "long_rows": "too long",
    "odd_characters": "invisible characters removed",
    "spreadsheet_errors": "spreadsheet error taken out",
    "mojibake": "garbled letters restored",
    "markup": "turned into plain text",
    "scan_debris": "leftovers of scanning removed",
    "white_space": "blanks tidied",
    "label_spellings": "most frequent spelling used",
    "personal_email": "e-mail address masked",
    "personal_phone": "telephone number masked",
    "personal_card": "card number masked",
    "personal_cpf": "CPF number masked",
    "personal_cnpj": "CNPJ number masked",
    "personal_ip": "IP address masked",
}
