"""What happened, for whoever may see it, and the audit log."""
