"""Person detector: an ONNX model of the YOLOX family, run by onnxruntime."""
