"""Whether the broker answers, said when that changes."""

from streams.actions import Action
from streams.logs import Log


class BrokerState:
    """As the last question to it showed."""

    def __init__(self, log: Log) -> None:
        self.is_away = False
        self._log = log

    def seen(self, *, away: str) -> None:
        """`away`: why it is, "" if it answered."""
        if away and not self.is_away:
            self._log(Action.BROKER_AWAY, reason=away)
        elif self.is_away and not away:
            self._log(Action.BROKER_BACK)
        self.is_away = bool(away)
