"""Numbered SQL files, applied once each, in order, tracked in ``ops.schema_version``."""
