"""Tables, figures, verdicts and provenance cards, recomputed from run folders."""
