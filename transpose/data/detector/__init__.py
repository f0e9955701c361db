"""A person detector on images: an ONNX model of the YOLOX family, run by onnxruntime."""
