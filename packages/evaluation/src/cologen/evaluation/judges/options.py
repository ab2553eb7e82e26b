"""A judge from a command's options: an endpoint or a folder, or none at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cologen.evaluation.judges.asking import VisionModel
from cologen.evaluation.judges.cache import open_cached
from cologen.evaluation.judges.endpoint import Endpoint, EndpointSettings
from cologen.evaluation.judges.gedit import GEditJudge
from cologen.evaluation.judges.imgedit import ImgEditJudge
from cologen.evaluation.judges.local import LocalModel
from cologen.evaluation.records import ScoreError

JudgeName = Literal["gedit", "imgedit"]

NOT_GIVEN = (
    "no judge is given, so what it scores is not measured. Give an endpoint (--judge-endpoint URL --judge-model NAME, "
    "and --judge-key-variable VARIABLE if it needs a key), or a vision-language model's folder (--judge-folder FOLDER)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Which model judges. ``endpoint`` with ``model``, or ``folder``, or neither: then there is no judge.

    ``concurrency`` cases are judged at a time; a folder's model answers one question at a time whatever it is.
    """

    cache_folder: Path
    endpoint: str | None = None
    model: str | None = None
    key_variable: str | None = None
    folder: Path | None = None
    device: str = "cpu"
    concurrency: int = 8
    timeout: float = 120.0
    tries: int = 5
    pause: float = 1.0

    def __post_init__(self) -> None:
        if self.endpoint is not None and self.folder is not None:
            raise ValueError("there is one judge: give --judge-endpoint or --judge-folder, not both")
        if (self.endpoint is None) != (self.model is None):
            given, lacking = ("endpoint", "model") if self.model is None else ("model", "endpoint")
            raise ValueError(f"--judge-{given} needs --judge-{lacking} beside it")
        if self.key_variable is not None and self.endpoint is None:
            raise ValueError("--judge-key-variable needs --judge-endpoint beside it")
        if self.concurrency < 1:
            raise ValueError(f"--judge-concurrency must be at least 1, got {self.concurrency}")


def open_judge(name: JudgeName, options: JudgeOptions) -> GEditJudge | ImgEditJudge | None:
    """The benchmark's judge, which has answered a first question, now or earlier; None where none is given.

    Without a judge, the caller reports ``NOT_GIVEN``.

    Raises:
        ValueError: it does not answer, refuses the key, or does not know the model.
        FileNotFoundError: the folder holds no model.
    """
    model = _model(options)
    if model is None:
        return None
    try:
        cached = open_cached(model, options.cache_folder)
    except ScoreError as error:
        raise ValueError(f"the judge does not answer: {error.detail}") from error
    kind = GEditJudge if name == "gedit" else ImgEditJudge
    return kind(model=cached, concurrency=options.concurrency)


def _model(options: JudgeOptions) -> VisionModel | None:
    if options.folder is not None:
        return LocalModel(options.folder, device=options.device)
    if options.endpoint is None or options.model is None:
        return None
    settings = EndpointSettings(
        url=options.endpoint,
        model=options.model,
        key_variable=options.key_variable,
        timeout=options.timeout,
        tries=options.tries,
        pause=options.pause,
    )
    return Endpoint(settings)
