"""Jobs and results as people and scripts get to see them."""
