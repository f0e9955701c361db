"""The report of a study: HTML pages that open without a server and without a network."""
