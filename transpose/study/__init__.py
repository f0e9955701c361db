"""A study laid out as files: what the workflow's rules ask, so that they hold no logic of their own."""
