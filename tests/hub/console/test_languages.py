"""The console's languages: nothing is shown that a catalogue lacks, and who looks decides which it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from playwright.sync_api import expect
from starlette.datastructures import Headers

from hub.console.language import LANGUAGES, Language, _, speaking
from hub.console.reader import COOKIE, language_of
from hub.console.words import ago, amount, count, exactly, percent, plural
from tests.browser import TIMEOUT_MS, looking_at, open_browser
from tests.hub.conftest import ok
from tests.hub.console.house import house_in
from tests.hub.console.literals import bare_literals, bare_literals_of_script, early_sentences
from tests.hub.console.test_console import hub_with_pages
from tools.make_catalogues import CONSOLE, catalogues, said

CATALOGUES = list(catalogues())
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)

expect.set_options(timeout=TIMEOUT_MS)


def messages(path: Path) -> dict[str, Message]:
    return {_key(each): each for each in read_po(path.open("rb"), locale=path.stem) if each.id}


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else "\n".join(message.id)


def _forms(message: Message) -> list[str]:
    said = message.string or ""
    return [said] if isinstance(said, str) else list(said)


def test_every_language_but_english_has_a_catalogue() -> None:
    assert {path.stem for path in catalogues()} == set(LANGUAGES) - {"en"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_every_sentence_of_the_console(path: Path) -> None:
    wanted = {_key(each) for each in said() if each.id}
    known = messages(path)
    assert wanted == set(known), "run: python -m tools.make_catalogues"
    assert [key for key, each in known.items() if each.fuzzy or not all(_forms(each))] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_translation_names_what_the_sentence_names(path: Path) -> None:
    names = re.compile(r"{\w+}")
    for key, each in messages(path).items():
        wanted = set(names.findall(key))
        assert all(set(names.findall(form)) == wanted for form in _forms(each)), key


def test_nothing_that_people_read_is_left_out_of_the_catalogues() -> None:
    sources = sorted(CONSOLE.rglob("*.py"))
    assert [line for path in sources for line in bare_literals(path, CONSOLE)] == []
    for script in ("console.js", "replay.js"):
        assert bare_literals_of_script((CONSOLE / script).read_text()) == [], script


def test_no_sentence_is_put_into_a_language_before_anybody_looks() -> None:
    assert [line for path in sorted(CONSOLE.rglob("*.py")) for line in early_sentences(path, CONSOLE)] == []


@pytest.mark.parametrize(
    "line",
    [
        'text("p", "Nothing")',
        'text("h1", f"Round {number}")',
        'figures.show("Lost", "none")',
        'row.text = "late" if late else ""',
        'said = {"a": "It is late"}',
        'return f"{number} robots are late"',
        'link(_(f"Round {number}"), "/")',
        'described(row, aria_label="Rows")',
    ],
)
def test_a_bare_literal_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "page.py").write_text(f"def page():\n    {line}\n")
    assert bare_literals(tmp_path / "page.py", tmp_path)[0].startswith("page.py:2: ")


@pytest.mark.parametrize(
    "line",
    [
        'text("p", _("Nothing"), "note step")',
        'Command(f"zunft robot run --hub {address}")',
        'Column(later("Round"), say)',
        'section(_("Rounds"), "section card")',
        'text("h1", name)',
        '"""A sentence about what it does."""',
    ],
)
def test_what_is_wrapped_or_nobody_reads_is_not(tmp_path: Path, line: str) -> None:
    (tmp_path / "page.py").write_text(f"def page():\n    {line}\n")
    assert bare_literals(tmp_path / "page.py", tmp_path) == []


@pytest.mark.parametrize(
    ("accepts", "cookie", "expected"),
    [
        ("", "", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "", "de"),
        ("fr, en;q=0.3, de;q=0.7", "", "de"),
        ("en-GB,de;q=0.9", "", "en"),
        ("de;q=0", "", "en"),
        ("de;q=much", "", "en"),
        ("de", "en", "en"),
        ("en", "de", "de"),
        ("de", "../../etc/passwd", "de"),
    ],
)
def test_the_visitor_s_choice_comes_first_then_the_browser_s(
    accepts: str, cookie: str, expected: Language
) -> None:
    headers = Headers({"accept-language": accepts, "cookie": f"{COOKIE}={cookie}"})
    assert language_of(headers) == expected


def test_figures_and_times_are_written_as_the_reader_writes_them() -> None:
    with speaking("de"):
        assert percent(0.9234) == "92,3 %"
        assert count(12_345) == "12.345"
        assert amount(1500) == "1,5 kB"
        assert plural(1, "round") == "1 Runde"
        assert plural(2000, "round") == "2.000 Runden"
        assert ago(NOON, NOON.replace(hour=15)) == "vor 3 Std."
        assert exactly(NOON) == "5. M\u00e4rz 2026, 12:00:00 UTC"
    assert exactly(NOON) == "5 March 2026, 12:00:00 UTC"
    assert count(12_345) == "12,345"


def test_a_page_and_an_error_page_speak_the_browser_s_language(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        client.headers["Accept-Language"] = "de"
        for path, words in (("/skills", "Fertigkeiten"), ("/skills/nothing", "Unter diesem Namen")):
            page = client.get(path, headers={"Accept": "text/html"})
            assert '<html lang="de">' in page.text
            assert words in page.text
        client.cookies.set(COOKIE, "en")
        page = ok(client.get("/skills"))
        assert '<html lang="en-GB">' in page.text
        assert "Skills" in page.text


def test_a_visitor_chooses_a_language_and_it_stays(tmp_path: Path) -> None:
    with (
        open_browser() as browser,
        house_in(tmp_path) as house,
        looking_at(browser, f"{house.url}/login") as page,
    ):
        page.get_by_role("button", name="Deutsch").click()
        page.get_by_label("Ihr Token").fill(house.token("operator"))
        page.get_by_role("button", name="Anmelden").click()
        expect(page.get_by_role("heading", name="Heute")).to_be_visible()
        page.get_by_role("link", name="Roboter", exact=True).click()
        page.get_by_role("link", name="Hier erledigen").click()
        page.get_by_role("button", name="Token erstellen").click()
        expect(page.get_by_role("button", name="Kopieren: zunft robot join")).to_be_visible()
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", name="Let robots in")).to_be_visible()


def test_who_speaks_no_other_language_hears_english() -> None:
    assert _("Sign in") == "Sign in"
    with speaking("de"):
        assert _("Sign in") == "Anmelden"
        assert _("a name of a robot") == "a name of a robot"
        assert _("") == ""


def test_a_page_that_fails_says_so_and_whose_fault_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise RuntimeError("a secret of the hub's")

    monkeypatch.setattr("hub.console.pages.start.read_start", fail)
    with hub_with_pages(tmp_path) as client:
        answer = client.get("/", headers={"Accept-Language": "de"})
        assert answer.status_code == 500
        assert '<html lang="de">' in answer.text
        assert "Diese Seite ist fehlgeschlagen" in answer.text
        assert "secret" not in answer.text
        assert "masthead" in answer.text
