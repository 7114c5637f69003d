from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from trader.domain.errors import InvalidInput, UnknownName
from trader.strategy.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
    from trader.strategy import Signals, Strategy

    class {name}(Strategy):
        "Does nothing."
        def signals(self, bars):
            return Signals()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of strategies; what discovery imports is forgotten afterwards."""
    for name in [name for name in sys.modules if name.startswith("strategies.")]:
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("strategies.")]:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(dedent(text))


def test_a_file_dropped_in_is_found_by_itself(folder):
    write(folder, "calm.py", GOOD.format(name="VeryCalm"))
    catalogue = Catalogue.discover(folder)
    assert catalogue.names() == ["very_calm"]
    assert catalogue.faults == {}
    assert catalogue.get("very_calm").describe() == "Does nothing."
    assert catalogue.get(" Very_Calm ") is catalogue.get("very_calm")


def test_an_unknown_name_gets_the_nearest(folder):
    write(folder, "calm.py", GOOD.format(name="Calm"))
    with pytest.raises(UnknownName, match=r"No strategy is called 'clam'\. Did you mean calm\?"):
        Catalogue.discover(folder).get("clam")


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="there is none"):
        Catalogue.discover(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nimport nothing_of_that_name\n", "line 2: ModuleNotFoundError: No module named"),
        ("def f(:\n", "line 1: invalid syntax"),
        ("raise SystemExit('bye')\n", "line 1: SystemExit: bye"),
        ("x = 1\n", "it defines no Strategy"),
        ("from trader.strategy import Strategy\n", "it defines no Strategy"),
        ("from trader.strategy import Strategy\nclass Idle(Strategy): pass\n",
         "Idle has neither signals nor on_tick"),
        (GOOD.format(name="Greedy") + "        stop = __import__('trader.strategy').strategy.Param(3.0)\n",
         "Greedy has a Param called stop, which is an option of every strategy"),
        (GOOD.format(name="Odd") + "        options = {'tarqet': '0'}\n",
         "No option in Odd.options is called 'tarqet'. Did you mean target?"),
        (GOOD.format(name="Rash") + "        options = {'risk': '9'}\n",
         "the defaults of Rash cannot be used: risk is 9: expected 0.01 to 2"),
        ("from trader.strategy import Param\nParam(1, low=2)\n",
         "line 2: ValueError: the default is 1: expected at least 2"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_reported_and_the_others_work(folder, text, sentence):
    write(folder, "broken.py", text)
    write(folder, "calm.py", GOOD.format(name="Calm"))
    catalogue = Catalogue.discover(folder)
    assert catalogue.names() == ["calm"]
    assert list(catalogue.faults) == ["broken.py"]
    assert catalogue.faults["broken.py"].startswith(sentence)
    with pytest.raises(InvalidInput, match=r"broken cannot be used: broken\.py, ") as refused:
        catalogue.get("broken")
    assert str(refused.value).endswith(catalogue.faults["broken.py"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("from trader.strategy import nosuch\n",
         "line 1: ImportError: cannot import name 'nosuch' from 'trader.strategy'"),
        ("import nosuch.module\n", "line 1: ModuleNotFoundError: No module named 'nosuch'"),
        ("x = 1\nx = = 2\n", "line 2: invalid syntax"),
        ("import ast; ast.parse('x = = 2', 'notes.txt')\n", "line 1: notes.txt, line 1: invalid syntax"),
        ("x = '\0'\n", "source code string cannot contain null bytes"),
    ],
)  # fmt: skip
def test_a_strategy_of_a_file_that_cannot_be_read_is_told_with_the_file_the_line_and_why(folder, text, fault):
    write(folder, "mine.py", text + "class GoldenCross(Strategy):\n    pass\nclass Plain:\n    pass\n")
    write(folder, "calm.py", GOOD.format(name="Calm"))
    catalogue = Catalogue.discover(folder)
    assert catalogue.names() == ["calm"]
    for asked in ("golden_cross", " Golden_Cross", "mine"):
        with pytest.raises(InvalidInput) as refused:
            catalogue.get(asked)
        assert str(refused.value) == f"{asked.strip().casefold()} cannot be used: mine.py, {fault}"
    with pytest.raises(UnknownName, match=r"Did you mean golden_cross\?"):
        catalogue.get("golden_crosss")
    with pytest.raises(UnknownName):
        catalogue.get("plain")


def test_a_folder_with_the_name_of_a_strategy_file_is_none(folder):
    (folder / "folder.py").mkdir()
    assert Catalogue.discover(folder).faults == {}


def test_a_failing_file_leaves_nothing_behind(folder):
    write(folder, "broken.py", "1 / 0\n")
    Catalogue.discover(folder)
    assert "strategies.broken" not in sys.modules


def test_files_and_classes_with_an_underscore_are_bases_for_others(folder):
    write(folder, "_shared.py", "1 / 0\n")
    write(folder, "calm.py", GOOD.format(name="_Quiet") + "\n    class Calm(_Quiet): pass\n")
    catalogue = Catalogue.discover(folder)
    assert (catalogue.names(), catalogue.faults) == (["calm"], {})


@pytest.mark.parametrize(("copy", "original"), [("a_copy.py", "calm.py"), ("z_copy.py", "calm.py")])
def test_a_copied_file_does_not_take_its_originals_place(folder, copy, original):
    write(folder, original, GOOD.format(name="Calm"))
    write(folder, copy, GOOD.format(name="Calm").replace("Does nothing", "The copy"))
    catalogue = Catalogue.discover(folder)
    assert catalogue.get("calm").describe() == "Does nothing."
    assert catalogue.faults == {
        copy: "the name calm is already taken by calm.py; give its class another name"
    }


def test_a_file_edited_since_is_read_afresh(folder):
    write(folder, "calm.py", GOOD.format(name="Calm"))
    Catalogue.discover(folder)
    write(folder, "calm.py", GOOD.format(name="Calm").replace("Does nothing", "Does even less"))
    assert Catalogue.discover(folder).get("calm").describe() == "Does even less."


def test_the_bundled_strategies_are_found_without_the_heavy_libraries():
    program = (
        "import sys; from pathlib import Path; from trader.strategy.catalogue import Catalogue;"
        "found = Catalogue.discover(Path('strategies'));"
        "heavy = {'talib', 'pandas', 'pyarrow', 'numba'} & sys.modules.keys();"
        "print(*found.names(), dict(found.faults), heavy)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == (
        "bollinger_reversion breakout ema_crossover macd_crossover opening_range_breakout pair_reversion"
        " rsi_mean_reversion supertrend tick_imbalance vwap_reversion {} set()"
    )
