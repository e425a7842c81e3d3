"""Speed of the library against plain baselines in the same run."""
