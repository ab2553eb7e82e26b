import pytest

from cologen.evaluation.judges.keys import Key

SECRET = "sk-very-secret-0123456789"


def test_a_key_is_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", f" {SECRET}\n")
    key = Key.from_environment("JUDGE_KEY")
    assert key.headers() == {"Authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(key) + str(key) + key.described() and "JUDGE_KEY" in key.described()
    assert key.hide(f"wrong key {SECRET}!") == "wrong key ***!"
    assert key.hide_bytes(f"wrong key {SECRET}!".encode()) == b"wrong key ***!"


def test_an_endpoint_without_a_key_gets_no_header() -> None:
    key = Key.from_environment(None)
    assert key.headers() == {}
    assert key.hide("text") == "text" and key.hide_bytes(b"text") == b"text"


def test_a_placeholder_is_sent_but_not_cut_out_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "7")
    key = Key.from_environment("JUDGE_KEY")
    assert key.headers() == {"Authorization": "Bearer 7"}
    assert key.hide_bytes(b'{"scores": {"followed": 7}}') == b'{"scores": {"followed": 7}}'


@pytest.mark.parametrize("content", [None, "", "  "])
def test_a_variable_without_a_key_is_named(monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if content is not None:
        monkeypatch.setenv("JUDGE_KEY", content)
    with pytest.raises(ValueError, match="variable JUDGE_KEY is not set"):
        Key.from_environment("JUDGE_KEY")


@pytest.mark.parametrize("content", ["two words", "line\nbreak", "schlüssel"])
def test_what_no_header_can_carry_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("JUDGE_KEY", content)
    with pytest.raises(ValueError, match="JUDGE_KEY holds no key") as error:
        Key.from_environment("JUDGE_KEY")
    assert content not in str(error.value)


@pytest.mark.parametrize(
    "echoed",
    [
        r"sk-secret/abc\"def+123",
        r"sk-secret\/abc\"def+123",
        r"sk-secret\u002fabc\u0022def\u002B123",
        r"sk-secret\\\/abc\\\"def\\u002B123",  # a proxy quotes the JSON of the server behind it
    ],
)
def test_a_key_that_comes_back_escaped_is_hidden_too(monkeypatch: pytest.MonkeyPatch, echoed: str) -> None:
    monkeypatch.setenv("JUDGE_KEY", 'sk-secret/abc"def+123')
    hidden = Key.from_environment("JUDGE_KEY").hide_bytes(f'{{"error": "{echoed} is wrong"}}'.encode())
    assert hidden == b'{"error": "*** is wrong"}'
