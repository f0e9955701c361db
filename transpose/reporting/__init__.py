"""Results beside what was published: tables and figures."""
