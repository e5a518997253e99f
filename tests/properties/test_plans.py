"""Whatever is asked for, wherever: the plan keeps its promises, or says why it cannot be carried out."""

from hypothesis import given

from tests.properties.planning import faults_of, planned
from tests.properties.scenes import Scene, scenes
from tests.properties.twists import TWISTS


@given(scenes(TWISTS, 4))
def test_every_plan_keeps_its_promises_or_says_what_stands_against_it(scene: Scene) -> None:
    assert faults_of(scene, planned(scene)) == []
