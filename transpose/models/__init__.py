"""TransPose models: convolutional backbones, a transformer encoder over their feature map, and heatmap heads."""
