"""The larger hall that this one joined: what may leave, whose rounds are worked on, and what came down."""
