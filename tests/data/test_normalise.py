import torch

from transpose.data.normalise import normalise


def test_normalised_crops_follow_imagenet():
    crops = torch.randint(0, 256, (2, 8, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = normalise(crops)
    assert images.shape == (2, 3, 8, 6)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    scaled = crops.permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(images, (scaled - mean[:, None, None]) / std[:, None, None], atol=1e-5, rtol=0)
