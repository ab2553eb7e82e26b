"""Text from data is shown as text: no markup, no escape sequence and no control character takes effect."""

import io
import logging
import re

import pytest
from rich.progress import Progress
from rich.table import Table

from cologen.reports import printable
from cologen.reports.printable import console, markdown

HOSTILE = "x[/b] [red]y[/red] :smile: \x1b[31mred\x1b]0;title \x9b2J \u202egnp.exe \ud800"


def test_control_characters_are_written_as_their_escapes():
    assert printable.printable("a\x1b[0m\tb\n\x07\x9b\u202e\ud800") == "a\\x1b[0m\tb\n\\x07\\x9b\\u202e\\ud800"


@pytest.mark.parametrize("text", ["a dog", "一只猫", "naïve – café", "👩‍👩‍👧", "می‌خواهم", "C:\\data"])
def test_text_of_any_language_stays(text: str):
    assert printable.printable(text) == text


def test_it_changes_nothing_twice():
    assert printable.printable(printable.printable(HOSTILE)) == printable.printable(HOSTILE)


@pytest.mark.parametrize("stderr", [False, True])
def test_a_console_shows_hostile_text_in_lines_tables_and_bars(stderr: bool):
    shown = console(stderr=stderr)
    shown.file, shown.width = io.StringIO(), 400
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    shown.print(HOSTILE)
    shown.print(table)
    with Progress(console=shown) as bar:
        list(bar.track([1], description="reading"))
    text = shown.file.getvalue()
    assert text.count("x[/b] [red]y[/red] :smile: \\x1b[31mred\\x1b]0;title \\x9b2J \\u202egnp.exe \\ud800") == 4
    assert not any(letter in text for letter in "\x1b\x9b\u202e\ud800")


def test_colours_of_our_own_reach_a_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = console()
    shown.file = io.StringIO()
    shown.print("text", style="red")
    assert "\x1b[31m" in shown.file.getvalue()


LONG = "Building into /" + "/".join(f"a folder {number}-and-more" for number in range(30))


@pytest.mark.parametrize("stderr", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_a_message_is_one_line_however_long(stderr: bool, terminal: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(terminal)))
    shown = console(stderr=stderr)
    shown.file = io.StringIO()
    assert shown.is_terminal == terminal
    shown.print(LONG, style="none", highlight=False)
    assert shown.file.getvalue() == f"{LONG}\n"


def test_a_table_in_a_log_is_as_wide_as_what_is_in_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = console()
    shown.file = io.StringIO()
    table = Table(LONG, "second")
    table.add_row(LONG, "cell")
    shown.print(table)
    lines = shown.file.getvalue().splitlines()
    assert len(lines) == 5
    assert sum(LONG in line for line in lines) == 2
    assert {len(line) for line in lines} == {len(LONG) + len("second") + 7}


def test_a_record_of_the_log_is_one_line_with_its_time_and_level():
    shown = console()
    shown.file = io.StringIO()
    handler = printable.LogLines(shown)
    handler.handle(logging.LogRecord("x", logging.WARNING, "x.py", 1, "%s [red]is\x1b[31m damaged", (LONG,), None))
    said = shown.file.getvalue()
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\] WARNING " + re.escape(LONG) + r" \[red\]is\\x1b\[31m damaged\n", said)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("empty_file", "empty_file"),
        ("_emphasis_", r"\_emphasis\_"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a | b", r"a \| b"),
        ("two\nlines", "two lines"),
        ("[link](javascript:x)", r"\[link\](javascript:x)"),
        ("```", r"\`\`\`"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_markdown_shows_text_as_it_is(text: str, shown: str):
    assert markdown(text) == shown
