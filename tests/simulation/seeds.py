"""Seeds that once failed, each with what they showed. They run first, for ever.

A change of the simulator changes what a seed does, so these are a habit, not a proof: the bug's own test is named.
"""

REGRESSIONS: dict[str, dict[int, str]] = {
    "stock": {
        185: "a divergence was called where a ruling stood between two owners (test_acceptance.py)",
        231: "as 185",
        287: "as 185",
        807: "as 185: the owner before had decided what the ruling settled",
        826: "a copied owner's partition was nobody's: copies end with the faults",
        1831: "an owner took its own watermark for the log's: no tick recorded it (test_machine_ticks.py)",
        1856: "as 1831",
        2683: "as 1831",
        3100: "rulings and parking in one partition",
        6090: "a worker that died again and again beside a partition that nobody could decide left a tick of each life",
        4439: "one copy of an owner ruled what the other decided: no such weather any more",
    },
    "journey": {
        262: "money and goods that went back came to everything, and the order went on (test_order_delivery.py)",
    },
}
