from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import SYMBOLS, curve, made_data, made_result, made_spec

from trader.backtest.metrics import metrics
from trader.backtest.page import page
from trader.backtest.report.candles import charts, packed
from trader.backtest.report.words import money
from trader.backtest.result import Reason, Result
from trader.backtest.spec import Leg
from trader.domain.instrument import InstrumentKey

DATA = made_data(5, 12)
RESULT = made_result(5, 12, data=DATA)


def contents(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found.group(1))
    return read


def unpacked(candles: dict[str, list[int]]) -> np.ndarray:
    """As the page's script does it: rows time, open, high, low, close."""
    rows, time, close = [], 0, 0
    for t, o, h, l, c in zip(*(candles[name] for name in "tohlc"), strict=True):  # noqa: E741 - as the page
        time, open_ = time + t, close + o
        close += c
        rows.append((time, open_ / 100, (open_ + h) / 100, (open_ + l) / 100, close / 100))
    return np.array(rows)


def test_the_page_asks_nothing_of_any_network() -> None:
    html = page(RESULT, metrics(RESULT), DATA)
    ours = html.replace(plotlys_script(), "")
    assert "default-src 'none'" in ours
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?\w+:", ours)
    assert "http" not in ours.replace('http-equiv="Content-Security-Policy"', "")
    assert "</script" not in plotlys_script()


def plotlys_script() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def test_the_page_holds_every_part() -> None:
    html = page(RESULT, metrics(RESULT), DATA)
    for part in (
        "ema_crossover",
        "Sharpe",
        "By weekday",
        "By symbol",
        "Deepest drawdowns",
        "drawdown 10%, a day&#39;s loss",
        "fast=9 slow=21",
    ):
        assert part in html
    read = contents(html)
    assert len(read["trades"]["n"]) == len(RESULT.trades)
    assert sum(read["trades"]["net"]) == pytest.approx(RESULT.net)
    assert sum(read["days"]["made"]) == pytest.approx(RESULT.net, abs=0.1)
    assert read["curve"]["own"][-1] == pytest.approx(RESULT.equity[-1], abs=0.01)
    assert len(read["charts"]) == len(RESULT.trades)
    assert set(read["candles"]) == {"0", "1"}


def test_candles_come_out_as_they_went_in() -> None:
    bars = DATA[InstrumentKey("NSE:INFY")]
    mask = np.zeros(len(bars), dtype=bool)
    mask[10:40] = mask[200:260] = True
    read = unpacked(packed(bars, mask))
    assert read[:, 0] == pytest.approx(bars.start[mask] / 1e6 + 19_800)
    assert read[:, 1:] == pytest.approx(bars.table[:4, mask].T, abs=0.005)


def test_each_trade_is_drawn_on_its_own_candles() -> None:
    read = contents(page(RESULT, metrics(RESULT), DATA))
    trades = read["trades"]
    for n in trades["n"]:
        candles = unpacked(read["candles"][str(trades["symbol"][n])])
        first, last, entry, leave = read["charts"][str(n)]["at"]
        assert first <= entry <= leave <= last < len(candles)
        assert candles[entry, 0] == trades["entry"][n]
        assert candles[entry, 1] == pytest.approx(trades["bought"][n], abs=0.01)
        assert candles[leave, 0] <= trades["exit"][n]
        # Five-minute candles without a gap, except over night: none of another trade between.
        steps = np.diff(candles[first : last + 1, 0])
        assert set(steps) <= {300.0, 300.0 + 86_400 - 75 * 300, 300.0 + 3 * 86_400 - 75 * 300}


def test_stop_and_target_stand_where_the_settings_put_them() -> None:
    read = contents(page(RESULT, metrics(RESULT), DATA))
    for n, side, price in zip(*(read["trades"][name] for name in ("n", "side", "bought")), strict=True):
        levels = read["charts"][str(n)]
        assert levels["stop"] / 100 == pytest.approx(price * (1 - side * 0.01), abs=0.01)
        assert levels["target"] / 100 == pytest.approx(price * (1 + side * 0.02), abs=0.01)


@pytest.mark.parametrize(
    ("reason", "within", "candle"),
    [(Reason.TARGET, True, 19), (Reason.STOP, True, 19), (Reason.STOP, False, 20), (Reason.SIGNAL, True, 20)],
    ids=["a target", "a stop", "a stop passed over night", "a signal"],
)
def test_an_exit_is_marked_on_the_candle_that_made_it(reason: Reason, within: bool, candle: int) -> None:
    """A level is reached within a candle and told at its end, which is the next one's beginning."""
    bars = DATA[InstrumentKey("NSE:RELIANCE")]
    trades = RESULT.trades[:1].copy()
    trades["symbol"], trades["reason"] = 0, reason
    trades["entry_at"], trades["exit_at"] = bars.start[10], bars.start[20]
    trades["exit_price"] = bars.high[19] + (0 if within else 5)
    drawn = charts(replace(RESULT, trades=trades), DATA).trades[0]["at"]
    assert drawn == [0, 40, 10, candle] if candle == 20 else drawn == [0, 39, 10, candle]


def test_a_trailed_stop_only_tightens() -> None:
    leg = RESULT.spec.legs[0]
    trailing = Leg(leg.name, leg.strategy, leg.symbols, leg.interval, (("stop", "1"), ("trail", "0.5")))
    result = replace(RESULT, spec=replace(RESULT.spec, legs=(trailing,)))
    moved = 0
    for row, chart in charts(result, DATA).trades.items():
        _, _, entry, leave = chart["at"]
        steps = np.diff(chart["stop"]) * int(result.trades["side"][row])
        assert len(chart["stop"]) == leave - entry + 1
        assert (steps >= 0).all()
        assert "target" not in chart
        moved += int(steps.any())
    assert moved


def test_what_does_not_fit_is_left_out_and_said() -> None:
    html = page(RESULT, metrics(RESULT), DATA, most_candles=200, most_trades=10)
    read = contents(html)
    assert sum(len(candles["t"]) for candles in read["candles"].values()) <= 200
    assert 0 < len(read["charts"]) < len(RESULT.trades)
    assert f"{len(read['charts'])} of {len(RESULT.trades)} trades have a chart" in html
    assert read["trades"]["n"] == list(range(len(RESULT.trades) - 10, len(RESULT.trades)))
    assert f"the last 10 of {len(RESULT.trades)} trades" in html
    net = np.abs(RESULT.trades["pnl"] - RESULT.trades["charges"])
    assert str(int(net.argmax())) in read["charts"]


def test_without_candles_the_page_says_so() -> None:
    html = page(RESULT, metrics(RESULT))
    assert "the trades have no charts" in html
    assert contents(html)["charts"] == {}


@pytest.mark.parametrize(
    "result",
    [
        curve([]),
        curve([100_000.0]),
        curve([0.0, -5.0], trades=[-100_000.0, -5.0]),
        replace(curve([100_000.0] * 3), close=np.full((3, 1), np.nan)),
    ],
    ids=["nothing", "one moment", "ruin", "no closes"],
)
def test_every_result_has_a_page(result: Result) -> None:
    assert contents(page(result, metrics(result)))["name"] == "ema_crossover"


def test_texts_are_data_not_markup() -> None:
    evil = "</script><script>alert(1)</script><b>"
    leg = Leg(evil, evil, (InstrumentKey(f"NSE:{evil}"),), RESULT.spec.legs[0].interval, ((evil, evil),))
    result = replace(
        RESULT,
        spec=made_spec(legs=1),
        symbols=(f"NSE:{evil}", "NSE:INFY"),
        warnings=(evil,),
        code_hash=evil,
    )
    result = replace(result, spec=replace(result.spec, legs=(leg,)))
    html = page(result, metrics(result))
    assert "<script>alert" not in html
    assert "</script><b>" not in html.replace(plotlys_script(), "")
    assert html.replace(plotlys_script(), "").count("</script>") == 3
    assert contents(html)["legs"] == [evil]


def test_the_file_stays_bounded() -> None:
    data = made_data(1, 250, SYMBOLS)
    result = made_result(1, 250, SYMBOLS, trades_a_day=8, data=data)
    html = page(result, metrics(result), data)
    assert len(html) - len(plotlys_script()) < 3_000_000


def test_a_browser_draws_it_without_a_fault(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    file = tmp_path / "page.html"
    html = page(RESULT, metrics(RESULT), DATA)
    watch = "<script>onerror = (said) => { document.title = 'A FAULT: ' + said; };</script><style>"
    use = "<script>document.querySelectorAll('#trades tbody tr')[3].click(); byId('theme').click();</script>"
    html = html.replace("<style>", watch, 1).replace("</body>", use + "</body>")
    file.write_text(html, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    run = subprocess.run(
        [browser, *options, profile, "--virtual-time-budget=10000", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    dom = run.stdout
    assert "<title>ema_crossover" in dom  # a script that fails names its fault there
    assert len(re.findall(r'class="plot[^"]*js-plotly-plot', dom)) == 6  # every plot, candles too
    assert dom.count('tabindex="0"') >= 25  # a page of the table
    assert re.search(r'id="which" class="faint">#4 (RELIANCE|INFY), (long|short)', dom)  # the row clicked
    assert re.search(r'<html lang="en" data-theme="(dark|light)">', dom)
    made = round(sum(month.rupees for month in metrics(RESULT).months))
    assert f"2024  {money(made)}</text>" in dom  # the year's sum, rounded as the figures are


def test_a_sign_stays_with_its_rupees_at_the_end_of_a_line() -> None:
    made = made_result(1, edge=-0.01)
    told = metrics(made)
    text = page(made, told)
    loss = money(told.trading.net)
    assert loss.startswith("-₹")
    assert f"<td>{loss.replace('-₹', '-' + chr(0x2060) + '₹')}</td>" in text
