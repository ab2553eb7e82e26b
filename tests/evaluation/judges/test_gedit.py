import base64
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cologen.evaluation.judges.cache import open_cached
from cologen.evaluation.judges.endpoint import Endpoint, EndpointSettings
from cologen.evaluation.judges.gedit import GEditJudge
from cologen.evaluation.network import Judge
from cologen.evaluation.records import Case, Expected, ScoreError
from tests.evaluation.judges.cases import case
from tests.evaluation.judges.chat_server import Asked, ChatServer, Reply, said

SC = '{"reasoning": "red", "scores": {"followed": 7, "kept": 9}}'
PQ = '```json\n{"reasoning": "seam", "scores": {"clean": 3, "natural": 8}}\n```'


def grades(asked: Asked, sc: str = SC, pq: str = PQ) -> Reply:
    if '"followed"' in asked.prompt:
        return said(sc)
    return said(pq if '"natural"' in asked.prompt else "ready")


def opened(server: ChatServer, folder: Path) -> GEditJudge:
    endpoint = Endpoint(EndpointSettings(url=server.url, model="judge", tries=1))
    return GEditJudge(model=open_cached(endpoint, folder))


def shown(uri: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_scores_come_in_the_layout_of_gedit(server: ChatServer, tmp_path: Path) -> None:
    server.script = grades
    judge = opened(server, tmp_path)
    assert isinstance(judge, Judge)
    assert judge.judge(case()).tolist() == [7, 9, 8, 3]


def test_consistency_is_asked_with_both_pictures_and_quality_with_the_output_alone(
    server: ChatServer, tmp_path: Path
) -> None:
    server.script = grades
    opened(server, tmp_path).judge(case(prompt="把球变红"))
    _, consistency, quality = server.asked
    assert "把球变红" in consistency.prompt and "把球变红" not in quality.prompt
    assert [len(each.pictures) for each in (consistency, quality)] == [2, 1]
    source, output = (shown(uri) for uri in consistency.pictures)
    # The output has half the source's size and is resized to it.
    assert source.size == output.size == (32, 24)
    assert abs(np.asarray(source).mean() - 10) < 2 and abs(np.asarray(output).mean() - 200) < 2
    assert quality.pictures[0] == consistency.pictures[1]


def test_a_second_run_asks_nothing(server: ChatServer, tmp_path: Path) -> None:
    server.script = grades
    scores = opened(server, tmp_path).judge(case())
    asked = len(server.asked)
    server.script = lambda asked: grades(asked, sc=SC.replace("7", "1"))
    again = opened(server, tmp_path)
    assert again.judge(case()).tolist() == scores.tolist()
    assert len(server.asked) == asked == 3
    assert again.judge(case(1)).tolist() == [1, 9, 8, 3]


@pytest.mark.parametrize(
    ("sc", "pq", "reason"),
    [
        (SC, "The picture is fine: 8/10", "unparsable"),
        (SC.replace("9", "90"), PQ, "unparsable"),
        (SC, SC, "unparsable"),
        ('{"refused": true}', PQ, "refused"),
    ],
)
def test_one_question_without_scores_leaves_the_case_without(
    server: ChatServer, tmp_path: Path, sc: str, pq: str, reason: str
) -> None:
    server.script = lambda asked: grades(asked, sc, pq)
    with pytest.raises(ScoreError) as error:
        opened(server, tmp_path).judge(case())
    assert error.value.reason == reason


def test_a_case_without_a_source_is_a_fault_of_the_data(server: ChatServer, tmp_path: Path) -> None:
    whole = case()
    with pytest.raises(ScoreError, match="bad_input"):
        opened(server, tmp_path).judge(Case(item=whole.item, output=whole.output, expected=Expected()))


def test_the_identity_names_model_prompts_and_day_and_stays(server: ChatServer, tmp_path: Path) -> None:
    server.script = grades
    judge = opened(server, tmp_path)
    before = judge.identity
    judge.judge(case())
    assert judge.identity == before == opened(server, tmp_path).identity
    assert "judge-2026-01-01" in before and f"since {judge.model.first.day}, prompts " in before
