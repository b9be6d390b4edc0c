"""Skills, their versions, and the channels that point at them."""
