"""Tests on candles from the command line: made again, walked forward, shared out, compared with the desk."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from select import select

import numpy as np
import pytest

from tests.service.shells import SPAN, STRATEGIES, candles, catalogue, settings_at, typed
from trader.backtest.asked import OWN, RULES
from trader.backtest.bench import Wanted, begin
from trader.backtest.parity import Difference, Parity, parity
from trader.backtest.shelf import Shelf
from trader.domain.errors import FeedError, InvalidInput
from trader.service import shell, shell_luck, shell_parity
from trader.service.settings import Settings, read_settings
from trader.strategy.catalogue import Catalogue

ROOT = STRATEGIES.parent
TEST = f"ema_crossover RELIANCE,INFY 5m {SPAN} drawdown=90"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"data={candles(tmp_path_factory.mktemp('candles'))}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "desk")


def shelf(settings: Settings) -> Shelf:
    return Shelf(settings.data_dir / "backtests")


def newest(settings: Settings) -> str:
    return shelf(settings).list().entries[0].id


def narrow(said: str) -> bool:
    """Paths and lines to be copied are as long as they are."""
    lines = [line for line in said.splitlines() if not line.startswith(("Report:", "Picture:", "  python"))]
    return max(map(len, lines)) <= 80


# -- again ------------------------------------------------------------------------------------------------


def test_a_result_is_made_again_to_the_bit(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"backtest {TEST} {data} fast=5") == 0
    assert shelf(settings).load(newest(settings)).trades.size > 20
    capsys.readouterr()
    assert typed(settings, "backtests again last") == 0
    assert "The same to the bit" in capsys.readouterr().out


def test_a_result_of_other_candles_or_code_is_told_apart(
    settings: Settings, data: str, tmp_path, capsys
) -> None:
    typed(settings, f"backtest {TEST} {data}")
    other = candles(tmp_path / "other", seed=4)
    assert typed(settings, f"backtests again last data={other}") == shell.FOUND
    assert "Data hash was" in capsys.readouterr().out
    meta = shelf(settings).path(newest(settings), "meta.json")
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "code_hash": "another"}))
    assert typed(settings, "backtests again last") == shell.FOUND
    assert "Code hash was another" in capsys.readouterr().out


def test_noise_on_the_candles_is_seeded_and_varies_the_end(settings: Settings, data: str, capsys) -> None:
    typed(settings, f"backtest {TEST} {data}")
    capsys.readouterr()
    assert typed(settings, "montecarlo last noise=30 runs=8") == 0
    assert red(shelf(settings).path(newest(settings), "fan-noise.png")) < 100
    said = capsys.readouterr().out
    assert "8 runs, candles with 30% noise" in said
    assert len(set(re.findall(r"[+-]₹[\d,]+$", said, re.MULTILINE))) > 3
    assert shelf(settings).path(newest(settings), "fan-noise.png").exists()
    typed(settings, "montecarlo last noise=30 runs=8")
    assert capsys.readouterr().out == said


def test_noise_that_is_stopped_says_after_how_many_runs(
    settings: Settings, data: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def impatient() -> Iterator[Callable[[int, int, str], None]]:
        def tell(done: int, total: int, text: str) -> None:
            if done == 3:
                raise KeyboardInterrupt

        yield tell

    typed(settings, f"backtest {TEST} {data}")
    monkeypatch.setattr(shell_luck, "told", impatient)
    assert typed(settings, "montecarlo last noise=30 runs=8") == 130
    assert "Stopped after 3 of 8 runs." in capsys.readouterr().out


# -- walking forward --------------------------------------------------------------------------------------

WALK = f"walkforward {TEST} fast=5:15:5 slow=30:50:20 where=trades>=1 train=15 test=10"


def test_walking_forward_joins_what_was_traded_out_of_sample(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"{WALK} {data}") == 0
    said = capsys.readouterr().out
    rows = re.findall(r"^([123])  .*fast=\d+ slow=\d+ .* (\d+)$", said, re.MULTILINE)
    assert [number for number, _ in rows] == ["1", "2", "3"]
    kept = shelf(settings).load(newest(settings))
    assert sum(int(trades) for _, trades in rows) == len(kept.trades) > 0
    assert kept.days == 40 - 15
    assert "of the windows traded gained" in said
    assert narrow(said)
    with pytest.raises(InvalidInput, match=r"made again by: python bot\.py walkforward ema_crossover"):
        typed(settings, "backtests again last")


def test_anchored_windows_search_from_the_first_day(settings: Settings, data: str, capsys) -> None:
    typed(settings, f"{WALK} {data}")
    rolled = capsys.readouterr().out.splitlines()
    assert typed(settings, f"{WALK} {data} anchored=yes") == 0
    anchored = capsys.readouterr().out.splitlines()

    def searched(lines: list[str], number: str) -> str:
        (row,) = [line for line in lines if line.startswith(f"{number}  ")]
        return re.split(r"  +", row)[3]

    assert searched(rolled, "1") == searched(anchored, "1")
    assert searched(rolled, "3") != searched(anchored, "3")


# -- portfolio --------------------------------------------------------------------------------------------

TWO = f"portfolio drawdown=90 ema_crossover:RELIANCE,INFY fast=5 supertrend:INFY 5m {SPAN} stop=2"


@pytest.mark.parametrize("method", ["inverse_volatility", "hrp"])
def test_capital_is_shared_out_by_days_before_those_traded(
    settings: Settings, data: str, capsys, method: str
) -> None:
    assert typed(settings, f"{TWO} {data} weigh={method} holdout=20 cap=90") == 0
    said = capsys.readouterr().out
    assert "Found on 1 Jan 2024 to 13 Feb 2024" in said
    assert "On 14 Feb 2024 to 23 Feb 2024" in said
    shares = [
        float(x) for x in re.findall(r"^(?:ema_crossover|supertrend) .* ([\d.]+)%$", said, re.MULTILINE)
    ]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert shares[0] != shares[1]
    assert narrow(said)
    legs = {leg.name: dict(leg.settings) for leg in shelf(settings).load(newest(settings)).spec.legs}
    assert legs["ema_crossover"]["fast"] == "5"
    assert (legs["supertrend"]["stop"], legs["ema_crossover"]["stop"]) == ("2", "1")
    ratio = float(legs["ema_crossover"]["risk"]) / shares[0] * shares[1] / float(legs["supertrend"]["risk"])
    assert ratio == pytest.approx(1, abs=0.05)
    assert typed(settings, "backtests again last") == 0


def test_kelly_keeps_losers_in_cash_and_says_so(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"{TWO} {data} weigh=kelly holdout=0 slippage=0.5") == 0
    said = capsys.readouterr().out
    assert "so nothing was traded" in said
    assert shelf(settings).list().entries == []


def test_one_strategy_twice_gets_two_names(settings: Settings, data: str, capsys) -> None:
    line = f"portfolio ema_crossover:INFY fast=5 ema_crossover:INFY fast=9 5m {SPAN} {data} holdout=0"
    assert typed(settings, line) == 0
    assert "2 ema_crossover-2" in capsys.readouterr().out


# -- parity -----------------------------------------------------------------------------------------------


def test_backtest_and_desk_trade_the_same(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"parity {TEST} {data}") == 0
    found = re.search(r"^(\d+) trades, all equal", capsys.readouterr().out, re.MULTILINE)
    assert found is not None
    assert int(found[1]) > 20


def equal(settings: Settings, data: str) -> Parity:
    words = [*TEST.split(), data]
    wanted, spec = shell.asked_and_spec(settings, catalogue(), words, shell_parity.USAGE, RULES)
    source = shell.source_of(settings, wanted.own["data"])
    bench = begin(Wanted.of(spec, source, catalogue()), catalogue(), lambda done, total, text: None)
    return parity(spec, bench.data, bench.backtester.world)


def test_the_first_difference_is_shown_with_both_sides(settings: Settings, data: str, capsys) -> None:
    found = equal(settings, data)
    ours = found.desk[7]
    theirs = replace(ours, exit_price=ours.exit_price + 1, reason="target")
    first = Difference(7, ("exit_price", "reason"), ours, theirs, ("1 Jan 10:00 SELL 5 RELIANCE",))
    assert shell_parity.show(replace(found, difference=first)) == shell.FOUND
    said = capsys.readouterr().out
    assert "Trade 8 is the first that differs." in said
    marked = [line.split()[0] for line in said.splitlines() if line.rstrip().endswith("≠")]
    assert marked == ["for", "Reason"]
    assert "SELL 5 RELIANCE" in said
    assert narrow(said)


def test_a_trade_that_one_side_never_made_is_told(settings: Settings, data: str, capsys) -> None:
    found = equal(settings, data)
    missing = Difference(3, (), None, found.desk[3], ())
    assert shell_parity.show(replace(found, difference=missing)) == shell.FOUND
    assert capsys.readouterr().out.count("no such trade") == 9


def test_parity_says_why_daily_candles_never_trade(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"parity ema_crossover INFY 1d {SPAN} {data}") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "so this shows nothing. • Daily candles close when the market does" in said


def test_parity_asks_for_charges(settings: Settings, data: str) -> None:
    with pytest.raises(InvalidInput, match="charges on"):
        typed(settings, f"parity {TEST} {data} charges=off")


# -- searches ---------------------------------------------------------------------------------------------

HUNT = f"optimize {TEST} fast=5:15:5 slow=30:50:20 where=trades>=1"


def test_two_workers_share_one_search_and_its_database(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"{HUNT} {data} workers=2") == 0
    said = capsys.readouterr()
    assert re.search(r"^Tried +6 of 6$", said.out, re.MULTILINE)
    assert said.err == ""
    assert (settings.data_dir / "optuna.db").exists()
    assert typed(settings, "backtests again last") == 0


def test_the_database_may_be_named(settings: Settings, data: str, tmp_path: Path, capsys) -> None:
    where = tmp_path / "searches.db"
    assert typed(settings, f"{HUNT} {data} storage=sqlite:///{where}") == 0
    assert where.exists()
    assert not (settings.data_dir / "optuna.db").exists()


@pytest.mark.parametrize(
    "storage",
    [
        "postgresql://munim:hunter2@127.0.0.1:nowhere/x",
        "mysql://munim:hunter2@127.0.0.1/x",
        "postgresql://munim:hunter2@[/x",
    ],
)
def test_no_password_is_shown(settings: Settings, data: str, storage: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        typed(settings, f"{HUNT} {data} storage={storage}")
    assert "hunter2" not in str(fault.value)


# -- what was typed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("check", "Expected a strategy. Usage: bot.py check"),
        ("check ema_crossover data=candles", "Expected symbols whose candles"),
        ("check pair_reversion RELIANCE", "decides on 2 instruments together"),
        ("check ema_crossover fast=900", "fast"),
        ("check ema_crossover capital=5000", "capital= means nothing here"),
        ("walkforward", "Usage: bot.py walkforward"),
        (f"{WALK.replace('train=15', 'train=many')}", "Expected train from 1"),
        (f"{WALK} holdout=20", "holdout= means nothing here"),
        (f"{WALK} anchored=perhaps", "Expected anchored=yes or anchored=no"),
        (
            f"{WALK.replace('train=15', 'train=90')}",
            "more than 90 days to walk forward, were 40: take a longer span",
        ),
        ("portfolio", "Expected strategies with their symbols"),
        ("portfolio ema_crossover", "Expected strategies with their symbols"),
        ("portfolio ema_crosover:INFY 5m", "Did you mean ema_crossover"),
        (f"{TWO} weigh=best", "method of allocation"),
        (f"{TWO} runs=5", "runs= means nothing here"),
        (f"{TWO} width=900", "width"),
        ("backtest ema_crossover INFY trials=5", "trials= means nothing here"),
        (f"{HUNT} workers=0", "Expected workers from 1"),
        ("parity ema_crossover", "Expected symbols"),
        ("backtest pair_reversion INFY", "pair_reversion needs 2 symbols, was given 1"),
        ("backtest pair_reversion INFY,NSE:INFY", "pair_reversion needs 2 symbols, was given 1"),
        ("portfolio pair_reversion:INFY supertrend:RELIANCE 5m", "pair_reversion needs 2 symbols"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(settings: Settings, data: str, line: str, says: str) -> None:
    if "data=" not in line and len(line.split()) > 4:
        line = f"{line} {data}"
    with pytest.raises(InvalidInput, match=re.escape(says)):
        typed(settings, line)


def test_candles_may_be_a_pattern_and_are_found_again_from_another_folder(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candles(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert typed(settings, f"backtest ema_crossover RELIANCE 5m {SPAN} data=mine/REL*") == 0
    monkeypatch.chdir(STRATEGIES)
    assert typed(settings, "backtests again last") == 0


def test_without_a_download_zerodha_s_candles_are_asked_for(tmp_path: Path) -> None:
    keys = {"MARKET": "zerodha", "KITE_API_KEY": "key", "KITE_API_SECRET": "secret"}
    with pytest.raises(InvalidInput, match=r"bot\.py download"):
        typed(read_settings({**keys, "DATA_DIR": str(tmp_path)}), "backtest ema_crossover RELIANCE 5m 90d")


AHEAD = '''
import numpy as np
from trader.strategy import Bars, Signals, Strategy


class Tomorrow(Strategy):
    """Knows what comes."""

    def signals(self, bars: Bars) -> Signals:
        later = np.roll(bars.close, -5)
        return Signals(enter_long=later > bars.close * 1.002, exit_long=later < bars.close)
'''


def test_what_looks_ahead_is_not_to_be_believed_and_its_page_says_so(
    settings: Settings, data: str, tmp_path: Path, capsys
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "tomorrow.py").write_text(AHEAD)
    line = f"tomorrow RELIANCE 5m {SPAN} {data}"
    shell.backtest(settings, Catalogue.discover(tmp_path / "strategies"), line.split())
    said = capsys.readouterr().out
    assert said.count("• Not to be believed, the desk refuses tomorrow. Look-ahead:") == 1
    assert said.index("Not to be believed") < said.index("Net ")  # before any figure
    page = shelf(settings).path(newest(settings), "page.html").read_text("utf-8")
    assert page.index("Not to be believed") < page.index('<p class="net faint">')
    typed(settings, f"backtest {TEST} {data}")
    assert "Not to be believed" not in capsys.readouterr().out


def red(picture: Path) -> int:
    """Pixels of a warning."""
    from matplotlib.image import imread

    reddish = np.asarray(imread(picture))[:, :, :3] @ (1.0, -1.0, -1.0)
    return int((reddish > 0.3).sum())


def test_what_is_not_to_be_believed_is_called_so_wherever_its_figures_are_shown(
    settings: Settings, data: str, tmp_path: Path, capsys
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "tomorrow.py").write_text(AHEAD)
    catalogue = Catalogue.discover(tmp_path / "strategies")

    def out(command: str, line: str) -> str:
        capsys.readouterr()
        shell.COMMANDS[command](settings, catalogue, line.split())
        return " ".join(capsys.readouterr().out.split())

    line = f"tomorrow RELIANCE 5m {SPAN} {data}"
    out("backtest", line)
    assert "· not to be believed" in out("backtests", "")
    assert "not to be believed" in out("backtests", "last")
    drawn = out("montecarlo", "last runs=20")
    assert drawn.index("Not to be believed, the desk refuses tomorrow.") < drawn.index("Of 100 runs")
    assert red(shelf(settings).path(newest(settings), "fan-bootstrap.png")) > 1000
    said = out("portfolio", f"tomorrow:RELIANCE 5m {SPAN} {data}")
    assert said.index("Not to be believed") < said.index("Alone")
    compared = out("parity", line)
    assert "trades by the backtest" in compared
    assert "Not to be believed, the desk refuses" in compared


@pytest.mark.parametrize("command", ["backtest", "parity", "optimize"])
def test_an_index_is_not_tested_for_nobody_can_buy_it(settings: Settings, command: str) -> None:
    words = ["breakout", "NIFTY 50", "1m", SPAN]
    with pytest.raises(InvalidInput, match="NIFTY 50 is an index; it cannot be traded"):
        shell.COMMANDS[command](settings, catalogue(), words)


def test_an_instrument_under_two_names_is_traded_once(settings: Settings, data: str) -> None:
    for symbols in ("RELIANCE", "RELIANCE,NSE:RELIANCE"):
        typed(settings, f"backtest ema_crossover {symbols} 5m {SPAN} {data} fast=5")
    once, twice = (shelf(settings).load(entry.id) for entry in shelf(settings).list().entries)
    assert twice.spec.legs[0].symbols == once.spec.legs[0].symbols
    assert twice.trades.tolist() == once.trades.tolist()


def test_symbols_without_candles_are_named(settings: Settings, data: str) -> None:
    with pytest.raises(FeedError, match="no candles of TCS"):
        typed(settings, f"check ema_crossover RELIANCE,TCS 5m {SPAN} {data}")


@pytest.mark.parametrize(
    "line",
    ["check ema_crossover RELAINCE", "portfolio ema_crossover:RELAINCE", "parity ema_crossover RELAINCE"],
)
def test_a_misspelt_symbol_is_answered_with_the_nearest(settings: Settings, data: str, line: str) -> None:
    with pytest.raises(FeedError, match=r"no candles of RELAINCE that .*\. Did you mean RELIANCE\?$"):
        typed(settings, f"{line} 5m {SPAN} {data}")
    with pytest.raises(InvalidInput, match=r"'RELAINCE'. Did you mean RELIANCE\?$"):
        typed(settings, f"{line} 5m 10d")


# -- checks, and the program itself -----------------------------------------------------------------------


def test_each_symbol_has_a_verdict_of_its_own(settings: Settings, data: str, capsys) -> None:
    assert typed(settings, f"check ema_crossover RELIANCE,INFY 5m {SPAN} {data}") == 0
    said = capsys.readouterr().out
    assert "ema_crossover on RELIANCE 5m" in said
    assert "ema_crossover on INFY 5m" in said
    assert said.count("It may be started") == 2


def bot(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "DATA_DIR": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "MPLBACKEND": "agg",
        "HOME": str(tmp_path),
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "bot.py"), *words],
        capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip


def test_the_program_checks_a_strategy(tmp_path: Path) -> None:
    done = bot(tmp_path, "check", "ema_crossover")
    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ Future: not seen" in done.stdout
    assert "It may be started." in done.stdout


def tried(database: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
            return int(opened.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.Error:  # not there yet
        return 0


def test_a_search_that_is_stopped_says_how_to_go_on_and_does(tmp_path: Path, data: str) -> None:
    line = [
        *TEST.split(),
        "fast=5:20:1",
        "slow=30:100:1",
        "where=trades>=1;drawdown<=90",
        "sampler=grid",
        data,
    ]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "bot.py"), "optimize", *line],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={"DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    ) as searching:  # fmt: skip
        try:
            until = time.monotonic() + 120
            while tried(tmp_path / "optuna.db") < 5 and searching.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.05)
            searching.send_signal(signal.SIGINT)
            said, complained = searching.communicate(timeout=120)
        finally:
            searching.kill()
    assert searching.returncode == shell.STOPPED, complained
    assert "Traceback" not in complained
    (goes_on,) = [text for text in (said + complained).splitlines() if text.startswith("  python bot.py ")]
    words = shlex.split(goes_on)[2:]
    count = tried(tmp_path / "optuna.db")
    done = bot(tmp_path, *words, f"trials={count + 1}", "holdout=25")
    assert re.search(rf"^Tried +{count + 1} of {count + 1}$", done.stdout, re.MULTILINE), done.stderr
    assert tried(tmp_path / "optuna.db") == count + 1  # the others were not tried again


def test_workers_do_not_go_on_without_the_process_that_was_killed(tmp_path: Path, data: str) -> None:
    many = ["fast=5:20:1", "slow=30:100:1", "stop=0.5:2:0.1", "sampler=grid"]
    line = [*TEST.split(), *many, "where=trades>=1", "workers=2", data]
    with subprocess.Popen(
        [sys.executable, str(ROOT / "bot.py"), "optimize", *line],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path,
        env={"DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    ) as searching:  # fmt: skip
        try:
            until = time.monotonic() + 120
            while tried(tmp_path / "optuna.db") < 5 and searching.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.05)
        finally:
            searching.kill()
        assert searching.stdout is not None
        ready, _, _ = select([searching.stdout], [], [], 30)
        assert ready, "somebody still holds the pipe"
        assert searching.stdout.read() == b""  # the workers' end of it is closed, too


def test_what_a_strategy_prints_is_no_part_of_the_answer(
    settings: Settings, data: str, tmp_path: Path, capsys
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "talker.py").write_text(
        "from trader.strategy import Bars, Signals, Strategy\n\n\n"
        "class Talker(Strategy):\n"
        "    def signals(self, bars: Bars) -> Signals:\n"
        "        print('I am asked')\n"
        "        return Signals(enter_long=bars.close > 0)\n"
    )
    talkers = Catalogue.discover(tmp_path / "own")
    for command in ("backtest", "check", "parity"):
        shell.COMMANDS[command](settings, talkers, ["talker", "INFY", "5m", SPAN, data])
        said = capsys.readouterr()
        assert "talker" in said.out
        assert "I am asked" not in said.out
        assert "I am asked" in said.err


@pytest.mark.parametrize("command", shell.COMMANDS)
def test_help_tells_each_command_s_words_and_settings(command: str, settings: Settings) -> None:
    said = shell.help_of(command)
    assert said.startswith(f"Usage: bot.py {command} ")
    told = set(re.findall(r"^  ([a-z_]+)=", said, re.MULTILINE))
    assert "data" in told
    for name in sorted(OWN.keys() - told):
        if command not in ("montecarlo", "backtests"):  # they read their words otherwise
            symbols = "ema_crossover:INFY" if command == "portfolio" else "ema_crossover INFY"
            with pytest.raises(InvalidInput, match=f"{name}= means nothing here"):
                typed(settings, f"{command} {symbols} 5m {name}=1")


def test_the_program_helps_with_one_command(tmp_path: Path) -> None:
    done = bot(tmp_path, "backtest", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "daily_loss=" in done.stdout


@pytest.mark.parametrize("words", [("check", "nosuch"), ("parity",), ("backtests", "x"), ("portfolio", "x")])
def test_the_program_refuses_with_a_sentence_and_two(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = bot(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_figure_is_not_broken_over_two_lines_on_a_narrow_screen(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "34")
    rows = [("1", "26 Dec – 6 Feb 24", "period=14 width=5", "-0.6499", "-4.309", "-₹10,720", "23")]
    shell.table(
        shell.console(), ("", "Traded", "Settings", "Searched", "Then", "Net", "Trades"), rows, "><<>>>>"
    )
    said = capsys.readouterr().out
    for figure in ("-0.6499", "-4.309", "-₹10,720", "Searched"):
        assert figure in said
