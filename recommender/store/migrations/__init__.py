"""The schema's history, run by alembic through `recommender.store.migrate_store`; never imported otherwise."""
