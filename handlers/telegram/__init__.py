"""Chat over Telegram. Import the modules inside only when a token is configured: the library is heavy.

``settings`` (values and seams) and ``render`` are free of it; ``supervisor.TelegramService`` is the way in.
"""

import os

# RetryAfter and its like carry timedeltas; without this the library warns about old integers at each 429.
os.environ.setdefault("PTB_TIMEDELTA", "true")
