"""A person detector on pictures: an ONNX model of the YOLOX family, run by onnxruntime."""
