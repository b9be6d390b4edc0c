"""How a robot learns: one `Trainer` an algorithm, RLlib's Learners behind them, without a Ray cluster."""
