"""Learning measured on randomized tests: the predictor, the bandit's lost clicks, off-policy evaluation."""
