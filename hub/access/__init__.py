"""Who asks, and what that one may see and do."""
