"""Every method tuned with the same number of random trials, then compared over seeds."""
