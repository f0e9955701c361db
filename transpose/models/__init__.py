"""TransPose models: convolutional backbones, transformer encoder and heatmap heads."""
