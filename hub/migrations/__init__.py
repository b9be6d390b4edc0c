"""The schema's history. Run by `hub.database.Database.migrate` at every start."""
