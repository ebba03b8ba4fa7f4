"""Synthetic subjects whose identity is planted in every kind of place, with its answer key (D-44).

Contract: made of a seed in the tree and of nothing else: no patient ever had these names.
"""

SEED = "waystation-phi-1"
