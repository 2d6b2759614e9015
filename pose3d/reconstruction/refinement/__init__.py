"""All frames together: bundle adjustment over time, its weights, its uncertainty."""
