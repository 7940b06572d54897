"""How often a client buys, whether she is still one, and how much she spends, from purchases alone.

    summary = summarise(client, day, amount, observed_until=date(1997, 9, 30))
    rhythm = BgNbd.fit(summary.frequency, summary.recency, summary.tenure)
    spend = GammaGamma.fit(summary.frequency, summary.mean_value)
    expected = rhythm.expected_purchases(13, summary.frequency, summary.recency, summary.tenure)
    value = expected * spend.expected_value(summary.frequency, summary.mean_value)

Arrays in, arrays out: this package never reads a table, a clock or a setting, and never says a number that it
has no history for; it raises `NotEnoughHistory` or `FitDidNotConverge` and the caller falls back, visibly.
"""

from outreach.purchase_model.bg_nbd import BgNbd
from outreach.purchase_model.columns import thin
from outreach.purchase_model.errors import FitDidNotConverge, NotEnoughHistory, UnusableInput
from outreach.purchase_model.gamma_gamma import GammaGamma
from outreach.purchase_model.summary import PurchaseSummary, summarise, summarise_columns

__all__ = [
    "BgNbd",
    "FitDidNotConverge",
    "GammaGamma",
    "NotEnoughHistory",
    "PurchaseSummary",
    "UnusableInput",
    "summarise",
    "summarise_columns",
    "thin",
]
