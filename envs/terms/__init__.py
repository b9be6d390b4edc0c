"""The named quantities that a task bundle may ask for, one class a kind; see `envs.terms.base`."""
