"""The closure test: learn a cross section from near-detector data and predict the far detector, with the truth known."""
