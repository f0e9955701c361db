"""From heatmaps to persons: decoding, flip test, rescoring and suppression."""
