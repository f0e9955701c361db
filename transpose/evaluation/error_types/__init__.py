"""Types of errors in predicted keypoints, persons and scores, and the AP that each of them costs."""
