"""Images inside of self-contained HTML pages."""

import base64

import cv2
import numpy as np


def as_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Return an image [H, W, 3] uint8 RGB as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def data_url(jpeg: bytes) -> str:
    """Return the URL that contains a JPEG."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
