from torch import nn

from tests.helpers.small_variants import small_model
from transpose.training.step import parameter_groups

LAST_LAYER = ("final_layer.bias", "final_layer.weight", "pos_embedding")


def test_one_rate_is_one_group_in_the_model_s_order():
    model = small_model("resnet")
    (group,) = parameter_groups(model, 1.0, LAST_LAYER)
    assert group["rate_factor"] == 1.0
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]


def test_all_but_a_new_last_layer_gets_the_factor():
    model = small_model("hrnet")
    for wrapped in (model, nn.ModuleDict({"module": model})):
        pretrained, new = parameter_groups(wrapped, 0.1, LAST_LAYER)
        assert (pretrained["rate_factor"], new["rate_factor"]) == (0.1, 1.0)
        assert [id(p) for p in new["params"]] == [id(p) for p in model.final_layer.parameters()]
        assert len(pretrained["params"]) + 2 == len(list(model.parameters()))


def test_a_last_layer_that_was_loaded_gets_the_factor_too():
    model = small_model("resnet")
    pretrained, new = parameter_groups(model, 0.1, ("pos_embedding",))
    assert [id(p) for p in pretrained["params"]] == [id(p) for p in model.parameters()]
    assert new["params"] == []
