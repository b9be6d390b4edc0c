"""Who belongs together, what they may use, and where their things lie."""
