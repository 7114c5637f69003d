"""What ``bot.py COMMAND --help`` says of the commands that are no tests; those have ``shell.help_of``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trader.service import downloading, exporting

ALL: Final = """\
Usage: bot.py [COMMAND] [WORD …]

  run          run the desk; so does no command
  doctor       what would be in its way; the owner's one-time codes
  rehearse     practise the live desk against a local broker
  download     fetch candles of Zerodha: RELIANCE,INFY 5m 2026-01-01 2026-11-20
  export       fills or trades for a spreadsheet: trades 2026-04-01..2027-03-31 trades.csv

  backtest     test a strategy: ema_crossover RELIANCE 5m 90d fast=9 slow=21
  optimize     search its settings: ema_crossover RELIANCE 5m 1y fast=5:20:1
  walkforward  search some days, trade the next, move on
  montecarlo   what else might have come of a result
  portfolio    several strategies together
  check        may a strategy be believed: ema_crossover
  parity       trade the same candles by the backtest and by the desk, and compare
  backtests    results that were kept

  --version    this Munim's

COMMAND --help tells its words and settings. Those of the desk are read from the environment and .env
(.env.example has them all); what is on the disk is in DATA_DIR."""

OF: Final[Mapping[str, str]] = {
    "run": """\
Usage: bot.py [run]

Runs the desk, until /quit, Ctrl-C or the end of its input. What it trades on is set in the
environment or in .env: MARKET is simulated, replay or zerodha, TRADING paper or live, DATA_DIR the
folder of its records. With TELEGRAM_BOT_TOKEN the chat is there, otherwise in this terminal.""",
    "doctor": """\
Usage: bot.py doctor

Looks at the settings, the disk, the records, the bot and, with MARKET=zerodha, the clock, the address
and the login, and says what to mend. It changes nothing, but notes that the owner's code was shown;
a desk may run meanwhile. Comes back with 1 where something is to be mended.""",
    "rehearse": """\
Usage: bot.py rehearse

Starts a local Kite server that behaves, and on demand misbehaves, like the real one, and the live desk
against it. Nothing leaves this machine.""",
    "download": f"""\
Usage: {downloading.USAGE}

Fetches the candles of these instruments that are not there yet, both days included, into
DATA_DIR/candles. It needs MARKET=zerodha, a login of today, and a desk that is stopped.
Intervals: 1m, 3m, 5m, 10m, 15m, 30m, 1h, 1d.""",
    "export": f"""\
Usage: {exporting.USAGE}

Writes the round trips (trades) or the fills of these days as CSV. Without days it is the financial
year of today; without a file it goes to the output. A file that is there is not overwritten. A desk may
run meanwhile.""",
}
