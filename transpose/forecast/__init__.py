"""What a study would cost, from its configuration alone: no model is built, so that a dry run can afford to ask."""
