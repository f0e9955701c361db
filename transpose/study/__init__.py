"""Plan of a study and the paths of its files, which the workflow's rules use."""
