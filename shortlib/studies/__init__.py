"""What each paper compares: variants, claims and published numbers as data."""
