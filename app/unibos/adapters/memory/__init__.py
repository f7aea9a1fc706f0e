"""Working fakes of the adapters, held to the same contract tests as the real ones."""
