"""Settings: values that survive the run folder, refuse what is impossible, and say what is possible."""

import dataclasses
import math
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from paznja import config
from paznja.cli import commands
from paznja.config import PRESETS, ModelConfig, ReadingConfig, SamplingConfig, Settings, Stretch, TrainingConfig, customise, new_stretch
from paznja.config.sections import SETTINGS
from paznja.config.setting import Setting
from paznja.errors import RunError, WrongUse

numbers = st.floats(allow_nan=False)
wholes = st.integers(-(2**62), 2**62)
texts = st.text(max_size=20)
all_settings = st.builds(
    Settings,
    preset=texts,
    tokenizer=texts,
    model=st.builds(ModelConfig, layers=wholes, width=wholes, tied_head=st.booleans(), rope_theta=numbers, vocabulary=wholes),
    training=st.builds(
        TrainingConfig,
        optimizer=texts,
        scoring=texts,
        learning_rate=numbers,
        compiled=st.booleans(),
        checkpoint_seconds=numbers,
    ),
    sampling=st.builds(
        SamplingConfig, prompts=st.lists(texts).map(tuple), sample_at=st.lists(wholes).map(tuple), temperature=numbers, length=wholes
    ),
)


def through_toml(settings: Settings) -> dict[str, Any]:
    return tomllib.loads(tomli_w.dumps({"settings": settings.to_dict()}))["settings"]


@given(all_settings)
def test_settings_come_back_from_toml_as_they_went(settings: Settings):
    assert Settings.from_dict(through_toml(settings)) == settings


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_comes_back_from_toml_as_it_went(name: str):
    settings = config.preset(name)
    assert Settings.from_dict(through_toml(settings)) == settings
    assert settings.preset == name


def test_a_whole_number_in_toml_stands_for_a_fraction():
    assert Settings.from_dict({"training": {"clip": 5}}).training.clip == 5.0


@pytest.mark.parametrize(
    "plain",
    [
        {"training": {"momentum": 0.9}},
        {"model": {"experts": 8}},
        {"sampling": {"beams": 3}},
        {"memory": {"kind": "counted"}},
        {"shape": "cube"},
    ],
)
def test_a_setting_of_a_later_version_is_refused_by_its_name(plain: dict[str, Any]):
    section, value = next(iter(plain.items()))
    name = next(iter(value)) if section in ("model", "training", "sampling") else section
    with pytest.raises(RunError, match=name):
        Settings.from_dict(plain)


@pytest.mark.parametrize(
    "plain",
    [
        {"model": {"layers": "4"}},
        {"model": {"layers": True}},
        {"model": {"layers": 4.0}},
        {"model": {"tied_head": 1}},
        {"training": {"warm_up": 1.5}},
        {"training": {"learning_rate": "0.1"}},
        {"training": {"learning_rate": False}},
        {"sampling": {"prompts": "Ово је мост "}},
        {"sampling": {"sample_at": 10}},
        {"sampling": {"sample_at": [1.5]}},
        {"sampling": {"prompts": [3]}},
        {"model": 3},
        {"preset": 3},
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(plain: dict[str, Any]):
    with pytest.raises(RunError, match="not of the right kind"):
        Settings.from_dict(plain)


def test_every_setting_says_what_it_is():
    import ast
    import inspect

    for kind in (ReadingConfig, ModelConfig, TrainingConfig, SamplingConfig):
        body = ast.parse(inspect.getsource(kind)).body[0]
        assert isinstance(body, ast.ClassDef)
        undocumented = [
            ast.unparse(field.target)
            for field, after in zip(body.body, [*body.body[1:], None], strict=True)
            if isinstance(field, ast.AnnAssign) and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
        ]
        assert not undocumented, kind


def test_an_unknown_preset_suggests_the_nearest_and_names_them_all():
    with pytest.raises(WrongUse, match="Did you mean 'pocket'") as refused:
        config.preset("pockett")
    assert all(name in str(refused.value) for name in PRESETS)
    with pytest.raises(WrongUse, match="The presets are"):
        config.preset("xyzzy")


@pytest.mark.parametrize(("name", "millions"), [("medium", 85), ("large", 305)])
def test_the_presets_for_gpus_are_as_large_as_they_say(name, millions):
    settings = config.preset(name)
    assert settings.model.num_parameters() == pytest.approx(millions * 1e6, rel=0.02)
    assert customise(settings, seed=2).preset == name


def test_the_blog_preset_is_the_run_of_2023():
    settings = config.preset("blog")
    sized = dataclasses.replace(settings.model, vocabulary=300)
    assert 68e6 < sized.num_parameters() < 73e6
    assert (sized.layers, sized.width, sized.heads, sized.context, settings.training.batch) == (10, 768, 12, 64, 64)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_parameters_that_are_announced_are_those_of_the_network(preset: str):
    import torch

    from paznja.model.transformer import Transformer

    for tied, memory in ((False, "none"), (True, "none"), (False, "learned"), (True, "counted")):
        shape = dataclasses.replace(config.preset(preset).model, vocabulary=301, layers=2, tied_head=tied, memory=memory)
        with torch.device("meta"):
            network = Transformer(shape)
        assert shape.num_parameters() == sum(parameter.numel() for parameter in network.parameters())


def test_without_a_budget_a_run_takes_ten_minutes():
    assert new_stretch(None, None) == Stretch(minutes=10.0)


def test_a_stretch_ends_at_an_iteration_if_it_has_one_and_knows_whether_that_comes_before_its_minutes():
    assert (new_stretch(3, None).seconds, new_stretch(3, None).enough) == (180.0, False)
    assert (new_stretch(None, 50).seconds, new_stretch(None, 50).enough) == (None, False)
    shortened = dataclasses.replace(new_stretch(3, None), iterations=50)
    assert (shortened.seconds, shortened.enough, shortened.fraction(25, 1e9)) == (None, True, 0.5)


@pytest.mark.parametrize(
    ("minutes", "iterations", "said"),
    [
        (5, 100, "not both"),
        (0, None, "--minutes must be above 0"),
        (-1, None, "--minutes must be above 0"),
        (math.inf, None, "--minutes must be above 0"),
        (math.nan, None, "--minutes must be above 0"),
        (None, 0, "--iterations must be 1 or more"),
        (None, -5, "--iterations must be 1 or more"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(minutes: float | None, iterations: int | None, said: str):
    with pytest.raises(WrongUse, match=said):
        new_stretch(minutes, iterations)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 0}, "--batch must be 1 or more"),
        ({"context": 1}, "--context"),
        ({"layers": 0}, "--layers"),
        ({"threads": -1}, "--threads"),
        ({"seed": -1}, "--seed"),
        ({"length": 0}, "--length"),
        ({"width": 100, "heads": 3}, "cannot be divided"),
        ({"width": 65}, "cannot be divided"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"sample_at": (10, 0)}, "--sample-at"),
        ({"prompts": ("мост", "")}, "prompt is empty"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"optimizer": "sgd"}, "optimizer"),
        ({"memory": "eidetic"}, "There is no memory 'eidetic'; there are 'none', 'learned', 'counted'"),
        ({"memory_order": 1}, "memory_order must be 2 or more"),
        ({"memory_rows": 0}, "memory_rows must be 1 or more"),
        ({"memory_width": 0}, "memory_width must be 1 or more"),
        ({"memory": "learned", "memory_width": 48}, "do not fill a width of 128: memory_width must divide it"),
        ({"scoring": "all"}, "no scoring 'all'; there are 'auto', 'part', 'none'"),
        ({"script": "runes"}, "no script 'runes'; there are 'auto', 'cyrillic', 'latin', 'keep'"),
        ({"device": "toaster"}, "no device 'toaster'; there are 'auto', 'cpu', 'cuda', 'mps'"),
        ({"learning_rate": -1.0}, "--learning-rate must be above 0, and -1 is not"),
        ({"learning_rate": math.inf}, "--learning-rate must be a finite number, and inf is not"),
        ({"checkpoint_seconds": -1.0}, "--checkpoint-seconds must be 0 or more, and -1 is not"),
        ({"length": 2_000_000}, "--length must be at most 1,000,000, and 2,000,000 is not"),
        ({"seed": 2**63}, "--seed must be at most"),
        ({"decay": 1.5}, "decay must be at most 1, and 1.5 is not"),
        ({"batch": "8"}, "batch = '8' is not of the right kind"),
        ({"batch": 8.5}, "batch = 8.5 is not of the right kind"),
        ({"learning_rate": "fast"}, "learning_rate = 'fast' is not of the right kind"),
        ({"sample_at": ("soon",)}, "sample_at = .* is not of the right kind"),
        ({"memory": "counted", "compiled": True}, "--compile cannot be combined with --memory counted"),
        ({"bach": 8}, "There is no setting 'bach'. Did you mean 'batch'"),
        ({"vocabulary": 300}, "There is no setting 'vocabulary'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_begins(change: dict[str, Any], said: str):
    with pytest.raises(WrongUse, match=said):
        customise(Settings(), **change)


def test_what_is_none_stays_as_the_preset_has_it():
    assert customise(config.preset("blog"), batch=None, width=None, prompts=None) == config.preset("blog")


def test_a_setting_that_was_asked_for_is_never_picked_though_it_is_the_default():
    asked = customise(config.preset("auto"), batch=Settings().training.batch, seed=0)
    assert asked.asked == ("batch", "seed")
    assert not asked.is_open("batch")
    assert asked.is_open("memory_order")


@pytest.mark.parametrize(
    "nothing",
    [{"threads": 0}, {"device": "auto"}, {"script": "auto"}, {"prompts": ()}, {"sample_at": []}, {"without": ()}, {"batch": None}],
)
def test_auto_none_and_nothing_ask_for_nothing(nothing: dict[str, Any]):
    assert customise(config.preset("auto"), **nothing) == config.preset("auto")


def test_a_setting_that_is_never_picked_is_never_open():
    assert not Settings().is_open("temperature")


def test_a_list_and_a_whole_number_are_taken_for_what_they_stand_for():
    changed = customise(Settings(), sample_at=[1, 5], temperature=1)
    assert changed.sampling.sample_at == (1, 5)
    assert isinstance(changed.sampling.temperature, float)


@pytest.mark.parametrize("known", SETTINGS.values(), ids=SETTINGS)
def test_the_default_of_every_setting_is_one_of_its_values(known: Setting):
    known.check(known.default)


@pytest.mark.parametrize("command", ["train", "demo"])
def test_every_setting_with_a_help_is_an_option_that_says_it(command: str):
    helps = {parameter.opts[0]: getattr(parameter, "help", None) or "" for parameter in commands.commands[command].params}
    shown = [known for known in SETTINGS.values() if known.help]
    assert len(shown) > 10
    assert all(helps[known.option].startswith(known.help) for known in shown)
    assert not {f"--{known.name.replace('_', '-')}" for known in SETTINGS.values() if not known.help} & helps.keys()


def test_the_memorys_table_counts_as_parameters_and_not_as_work():
    without = dataclasses.replace(ModelConfig(), vocabulary=300)
    with_it = dataclasses.replace(without, memory="learned", memory_rows=1000, memory_width=8)
    assert with_it.num_table_parameters() == 8000
    assert with_it.num_parameters() == without.num_parameters() + 8000
    assert with_it.operations() == without.operations()


def test_one_seed_sets_both():
    changed = customise(Settings(), seed=5)
    assert (changed.training.seed, changed.sampling.seed) == (5, 5)


def test_heads_and_feed_forward_follow_the_width_unless_they_are_given():
    followed = customise(Settings(), width=256).model
    assert (followed.heads, followed.head_width, followed.hidden) == (4, 64, 704)
    given_too = customise(Settings(), width=256, heads=8, hidden=100).model
    assert (given_too.heads, given_too.hidden) == (8, 100)


@pytest.mark.parametrize("width", [32, 48, 100, 192])
def test_the_memorys_rows_fill_whatever_width_is_chosen(width: int):
    model = customise(Settings(), width=width, heads=2, memory="learned").model
    assert model.width % model.memory_width == 0


def test_the_optimizers_learning_rates_move_together_unless_they_are_given_too():
    before = Settings().training
    after = customise(Settings(), learning_rate=before.learning_rate / 4).training
    assert after.matrix_learning_rate == pytest.approx(before.matrix_learning_rate / 4)
    assert after.memory_learning_rate == pytest.approx(before.memory_learning_rate / 4)
    assert customise(Settings(), learning_rate=0.1, matrix_learning_rate=0.5).training.matrix_learning_rate == 0.5
