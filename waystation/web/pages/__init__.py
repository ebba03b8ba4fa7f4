"""The console: pages that a browser shows without any file from elsewhere."""
