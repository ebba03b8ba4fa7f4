"""What the TOML parser found wrong, said for somebody who edits a file and not a grammar.

Contract: `said` takes the parser's own words, without their position, and returns a sentence
that says what to write instead; words that are not known here come back as they are.
"""

STRAIGHT = 'a text stands between straight quotes, like "always"'
BACKSLASH = r"a backslash is written \\, or the whole text stands in single quotes"
WORDS = (
    ("Cannot overwrite a value", "this name stands twice, as a key or as a table"),
    ("Cannot declare", "this table stands twice: put all its keys below one heading"),
    ("Cannot mutate immutable", "this table was closed above: put all its keys in one place"),
    ("Illegal character '\\n'", "the closing quote of a text is missing"),
    ("Illegal character '\\r'", "the closing quote of a text is missing"),
    ("Unterminated string", "the closing quote of a text is missing"),
    ("Expected \"'", "the closing quote of a text is missing"),
    ("Invalid value", f"no value: {STRAIGHT}; true and false are written small"),
    ("Expected '='", "expected KEY = VALUE, a [TABLE], or a # before a comment"),
    ("Invalid statement", "expected KEY = VALUE, a [TABLE], or a # before a comment"),
    ("Expected newline", f"something stands behind the value: {STRAIGHT}, and one key on a line"),
    ("Expected ']", "a closing ] is missing"),
    ("Unclosed array", "a comma between two entries, or the closing ], is missing"),
    ("Unclosed inline table", "a comma between two keys, or the closing }, is missing"),
    ("Invalid initial character for a key part", "a key is made of letters, digits, - and _"),
    ("Invalid hex value", BACKSLASH),
    ("Unescaped '\\' in a string", BACKSLASH),
)


def said(words: str) -> str:
    """Return the sentence for the parser's words."""
    for beginning, sentence in WORDS:
        if words.startswith(beginning):
            return sentence
    return words
