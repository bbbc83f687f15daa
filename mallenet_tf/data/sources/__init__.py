"""Sources of training samples, one per file."""
