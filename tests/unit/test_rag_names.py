"""Every file of an upload gets a name of its own, keeps it where it comes again, and takes no other document's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playground.rag.names import FILE_CHARACTERS, apart, shown, suffix

LONG = "x" * 116
NAMES = ["r.txt", "r (2).txt", "s.txt", "r", f"{LONG}.txt", f"{LONG[:-4]} (2).txt"]
FILES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from("abcdef")), max_size=8)


def test_the_second_of_two_files_of_one_name_gets_a_number() -> None:
    assert apart([("r.txt", "a"), ("r.txt", "b"), ("r.txt", "c"), ("r.txt", "a"), ("s", "d"), ("s", "e")], {}, {}) == [
        *("r.txt", "r (2).txt", "r (3).txt", "r.txt", "s", "s (2)")
    ]
    assert apart([("r.txt", "b"), ("r.txt", "a")], {"a": "r.txt"}, {"r.txt": "r.txt"}) == ["r (2).txt", "r.txt"]
    assert apart([("r.txt", "b")], {"a": "r.txt"}, {"r.txt": "r.txt"}) == ["r.txt"], "alone, it takes the other one's place"


@given(
    FILES,
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["r.txt", "s.txt", "other.txt"])),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES)),
)
def test_no_two_contents_of_an_upload_have_one_name(files: list[tuple[str, str]], here: dict[str, str], owners: dict[str, str]) -> None:
    names = apart(files, here, owners)
    fresh = {(name, digest) for name, (_, digest) in zip(names, files, strict=True) if digest not in here}
    assert len({name for name, _ in fresh}) == len(fresh), "two contents have one name, or one has two in the same place"
    standing = {here[digest] for _, digest in files if digest in here}
    assert not standing & {name for name, _ in fresh}
    assert all(len(name) <= FILE_CHARACTERS and shown(name) == name for name in names)
    for name, (given_name, digest) in zip(names, files, strict=True):
        assert digest in here or owners.get(name, given_name) == given_name, "it takes the place of a document of another name"


def test_a_long_name_is_cut_before_its_ending() -> None:
    long = "a very long title of a paper " * 5
    cut = [shown(f"{long}{more}.pdf") for more in ("", " 2", " 3")]
    assert len(set(cut)) == 3 and cut[0] == shown(f"{long}.pdf")
    assert all(len(name) <= FILE_CHARACTERS and name.startswith(long[:100]) and suffix(name) == ".pdf" for name in cut)
    assert shown(f"{long}. {long}").startswith(long[:100]) and len(shown(f"{long}. {long}")) <= FILE_CHARACTERS
    assert shown("x" * 116 + ".pdf") == "x" * 116 + ".pdf"
