import copyreg
import datetime
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.datasets.coco import refcoco_pickle

REFS = [{"ref_id": 1, "sentences": [{"sent": "caf\u00e9", "tokens": []}], "area": 0.5, "more": (None, True, b"x")}]


class Command:
    """Would run a shell command while it is opened."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class Opener:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_come_back(protocol: int, tmp_path: Path) -> None:
    plain = REFS if protocol > 2 else [{"ref_id": 1, "sentences": [("a", None, True, 1.5, 1 << 80)]}]
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps(plain, protocol=protocol))
    assert refcoco_pickle.load(path) == plain


def test_strings_of_python_2_are_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(b"\x80\x02]U\x04caf\xe9a.")
    assert refcoco_pickle.load(path) == ["caf\u00e9"]


def test_unknown_escapes_stand_for_themselves(tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(rb"(lp0" + b"\n" + rb"S'a \d dog'" + b"\n" + rb"p1" + b"\na.")
    assert refcoco_pickle.load(path) == [r"a \d dog"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_is_refused_by_name_and_never_run(protocol: int, tmp_path: Path) -> None:
    path, trace = tmp_path / "refs.p", tmp_path / "trace"
    path.write_bytes(pickle.dumps([{"sent": Command(f"touch {trace}")}], protocol=protocol))
    with pytest.raises(ValueError, match=r"refs\.p: this pickle names posix\.system, which could run code"):
        refcoco_pickle.load(path)
    path.write_bytes(pickle.dumps(Opener(str(trace)), protocol=protocol))
    with pytest.raises(ValueError, match=r"names (_?io|__builtin__|builtins)\.open"):
        refcoco_pickle.load(path)
    path.write_bytes(b"cbuiltins\neval\n(S'open(\"" + str(trace).encode() + b'", "w")\'\ntR.')
    with pytest.raises(ValueError, match=r"names builtins\.eval"):
        refcoco_pickle.load(path)
    path.write_bytes(b"(S'touch x'\nios\nsystem\n.")
    with pytest.raises(ValueError, match=r"names os\.system"):
        refcoco_pickle.load(path)
    assert not trace.exists()


@pytest.mark.parametrize("harmless", [datetime.date(2000, 1, 1), {1, 2}, complex(1, 2), len, dict])
def test_even_harmless_names_are_refused(harmless: object, tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps([harmless], protocol=2))
    with pytest.raises(ValueError, match=r"this pickle names \w+\.\w+"):
        refcoco_pickle.load(path)


def test_persistent_ids_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    for data in (b"Pthing\n.", b"\x80\x02K\x07Q."):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"holds the persistent id ('thing'|7)"):
            refcoco_pickle.load(path)


@pytest.fixture
def registered_code() -> Any:
    """An extension code that this process has met before, so that unpicklers find it in a cache."""
    copyreg.add_extension("posix", "system", 240)
    pickle.loads(b"\x80\x02\x82\xf0.")
    yield 240
    copyreg.remove_extension("posix", "system", 240)


def test_extension_codes_are_refused_even_where_they_are_known(registered_code: int, tmp_path: Path) -> None:
    path, trace = tmp_path / "refs.p", tmp_path / "trace"
    call = b"X" + struct.pack("<I", len(f"touch {trace}")) + f"touch {trace}".encode() + b"\x85R."
    forms = (b"\x82\xf0", b"\x83" + struct.pack("<H", registered_code), b"\x84" + struct.pack("<i", registered_code))
    for code in forms:
        path.write_bytes(b"\x80\x02" + code + call)
        with pytest.raises(ValueError, match="holds the extension code 240"):
            refcoco_pickle.load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"not a pickle",
        pickle.dumps(REFS, protocol=2)[:-9],
        b"\x80\x02]q",
        b"\x80\x63.",
        b"\x80\x02h\x05.",
        b"\x80\x02(X\x04\x00\x00\x00textoR.",
        b"\x80\x02]]b.",
        b"\x80\x02}]]s.",
        b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
        b"\x80\x05\x97.",
        b"<html>gone</html>",
    ],
)
def test_what_is_no_pickle_of_data_is_one_clear_error(damaged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"refs\.p: not a whole pickle of lists, dicts, text and numbers"):
        refcoco_pickle.load(path)


@pytest.mark.parametrize("number", [b"r\x00\x00\x00\x30", b"p999999999\n"])
def test_a_few_bytes_cannot_ask_for_gigabytes(number: bytes, tmp_path: Path) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(b"\x80\x02]" + number + b".")
    with pytest.raises(ValueError, match=r"refs\.p: not a whole pickle.*it numbers an object \d+ in \d+ bytes"):
        refcoco_pickle.load(path)
