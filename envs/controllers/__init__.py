"""What a controller in a bundle may be made of: parts, blocks that remember, phases; data, never code."""
