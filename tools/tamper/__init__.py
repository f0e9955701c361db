"""Exchange files behind the workflow's back, and look whether it notices."""
