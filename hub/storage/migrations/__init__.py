"""The schema's history. Run by `hub.storage.database.Database.migrate` at every start."""
