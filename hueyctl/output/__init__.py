"""How results are written, for people, pipes and scripts."""
