"""Palepu and Beam (2022): language supervision and watermarks on chest radiographs."""
