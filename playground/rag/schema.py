"""The tables of a collection's file, and how the file of an earlier version becomes one of this.

Does not know what is asked of them (`playground.rag.index`).
"""

from __future__ import annotations

import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, file TEXT NOT NULL, state TEXT NOT NULL,
  pages INTEGER NOT NULL DEFAULT 0, pages_empty INTEGER NOT NULL DEFAULT 0, pages_garbled INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0, error TEXT, added REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS pages (document INTEGER NOT NULL, number INTEGER NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (document, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, number INTEGER NOT NULL, page INTEGER NOT NULL, label TEXT NOT NULL,
  start INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_of ON chunks (document);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  text, content='chunks', content_rowid='id', tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER IF NOT EXISTS chunk_added AFTER INSERT ON chunks BEGIN INSERT INTO words(rowid, text) VALUES (new.id, new.text); END;
CREATE TRIGGER IF NOT EXISTS chunk_gone AFTER DELETE ON chunks BEGIN
  INSERT INTO words(words, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""
# What came later stands here and not above, so that an old file and a new one are made by the same lines: from each version to the next.
ADDED: tuple[tuple[str, ...], ...] = (
    (),
    (
        "ALTER TABLE documents ADD COLUMN pages_ocr INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN unit TEXT NOT NULL DEFAULT 'page'",
        "ALTER TABLE documents ADD COLUMN health TEXT NOT NULL DEFAULT '{}'",
        "CREATE TABLE word_boxes (document INTEGER NOT NULL, number INTEGER NOT NULL, boxes BLOB NOT NULL, PRIMARY KEY (document, number))"
        " WITHOUT ROWID",
        # what a collection that is indexed anew has so far; it takes the place of chunks in one moment
        "CREATE TABLE staged (id INTEGER PRIMARY KEY, document INTEGER NOT NULL, number INTEGER NOT NULL, page INTEGER NOT NULL,"
        " label TEXT NOT NULL, start INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL)",
        "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        # by page and by the order in which they begin on it
        "CREATE TABLE sections (document INTEGER NOT NULL, page INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,"
        " path TEXT NOT NULL, PRIMARY KEY (document, page, number)) WITHOUT ROWID",
    ),
    ("ALTER TABLE documents ADD COLUMN twin_of TEXT NOT NULL DEFAULT ''",),
)
VERSION = len(ADDED)


def create(db: sqlite3.Connection) -> None:
    """All tables, where they are not there yet."""
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(TABLES)
    upgrade(db)


def upgrade(db: sqlite3.Connection) -> None:
    """Bring a file of an earlier version up to this one, whole or not at all; a file without tables stays as it is."""
    if _version(db) >= VERSION:
        return
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'documents'").fetchone():
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if _version(db) < VERSION:  # else somebody was quicker
            for lines in ADDED[_version(db) :]:
                for line in lines:
                    db.execute(line)
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
