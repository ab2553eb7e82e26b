from pathlib import Path

import pytest

from cologen.evaluation.judgement import IMGEDIT_CRITERIA
from cologen.evaluation.judges.cache import open_cached
from cologen.evaluation.judges.endpoint import Endpoint, EndpointSettings
from cologen.evaluation.judges.imgedit import ImgEditJudge
from cologen.evaluation.network import Judge
from cologen.evaluation.records import Case, Expected, ScoreError
from tests.evaluation.judges.cases import case
from tests.evaluation.judges.chat_server import ChatServer, said

GRADES = '{"reasoning": "good", "scores": {"detail": 2, "edit": 5, "natural": 3}}'


def opened(server: ChatServer, folder: Path) -> ImgEditJudge:
    endpoint = Endpoint(EndpointSettings(url=server.url, model="judge", tries=1))
    return ImgEditJudge(model=open_cached(endpoint, folder))


def test_scores_come_in_the_layout_of_imgedit(server: ChatServer, tmp_path: Path) -> None:
    server.script = lambda asked: said(GRADES)
    judge = opened(server, tmp_path)
    assert isinstance(judge, Judge)
    assert judge.judge(case(group="add")).tolist() == [5, 3, 2]


def test_each_edit_type_is_asked_about_its_own_criteria(server: ChatServer, tmp_path: Path) -> None:
    server.script = lambda asked: said(GRADES)
    judge = opened(server, tmp_path)
    for kind in IMGEDIT_CRITERIA:
        judge.judge(case(group=kind))
    asked = server.asked[1:]
    assert len(asked) == 9
    for kind, each in zip(IMGEDIT_CRITERIA, asked, strict=True):
        assert all(criterion in each.prompt for criterion in IMGEDIT_CRITERIA[kind])
        assert "make the ball red" in each.prompt and len(each.pictures) == 2


@pytest.mark.parametrize("value", ["0", "6"])
def test_the_scale_is_1_to_5(server: ChatServer, tmp_path: Path, value: str) -> None:
    server.script = lambda asked: said(GRADES.replace("5", value))
    with pytest.raises(ScoreError, match="unparsable: expected edit from 1 to 5"):
        opened(server, tmp_path).judge(case(group="add"))


def test_an_unknown_edit_type_or_no_source_is_a_fault_of_the_data(server: ChatServer, tmp_path: Path) -> None:
    judge, whole = opened(server, tmp_path), case(group="add")
    with pytest.raises(ScoreError, match=r"bad_input: expected an edit type of add, .*, got 'rotate'"):
        judge.judge(case(group="rotate"))
    with pytest.raises(ScoreError, match=r"bad_input: .*source"):
        judge.judge(Case(item=whole.item, output=whole.output, expected=Expected()))


def test_the_identity_has_the_prompts_hash(server: ChatServer, tmp_path: Path) -> None:
    judge = opened(server, tmp_path)
    assert judge.identity.startswith(f"{judge.model.identity}, prompts ")
