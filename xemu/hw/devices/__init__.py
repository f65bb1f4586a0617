"""Device models, one file per family."""
