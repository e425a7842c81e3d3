"""Sets of the published sizes and label statistics, made of random numbers: for scale and time, never for quality."""
