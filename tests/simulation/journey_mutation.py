"""What a test may take out of an order's journey. The plain one takes out nothing."""

from typing import Any

from domain.order_rules import OrderRules
from streams.fold import Fold
from tables.orders import OrderFold
from tests.simulation.mutation import Mutation
from tests.simulation.order_view import OrderView
from tests.simulation.trade import Trade


class JourneyMutation(Mutation):
    """Hooks of a Journey, besides those of its World."""

    def trade(self, trade: Trade) -> Trade:
        """The trade in which the rule matters."""
        return trade

    def order_fold(self, rules: OrderRules) -> Fold[Any]:
        """Everybody's, of orders."""
        return OrderFold({1: rules})

    def order_view(self) -> OrderView:
        """The gateways', of orders."""
        return OrderView()
