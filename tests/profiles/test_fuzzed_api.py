"""The JSON API held to its own OpenAPI document by thousands of made-up requests: no 5xx, no undocumented status, no answer of another form."""

from __future__ import annotations

import io

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import booleans
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from unibos.features.registry.models import Node
from unibos.kernel import compose
from unibos.kernel.actors import NOBODY, Actor
from unibos.kernel.errors import Unavailable
from unibos.kernel.web import build_app
from unibos.panel.shell import Shell

from tests.adapters.documents import pdf
from tests.conftest import PASSWORD, build, close

CHECKS = [ status_code_conformance, content_type_conformance, response_schema_conformance, negative_data_rejection, unsupported_method]
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:schemathesis", "ignore::ResourceWarning")


class Silent:
    """A bus on which nobody answers, at once: what needs the agent says that it is away."""

    def __init__(self, bus):
        self._bus, self.asked = bus, 0

    def ask(self, service, question, timeout):
        self.asked += 1
        raise Unavailable()

    def __getattr__(self, name):
        return getattr(self._bus, name)


@pytest.fixture(params=["hub", "node"])
def api(request, tmp_path, postgres_server):
    """A claimed hub on PostgreSQL and a node on SQLite; `api.who` is who asks."""
    url = postgres_server.create_owned()[1] if request.param == "hub" else ""
    built = build(request.param, tmp_path, url)
    built.kit.bus = Silent(built.kit.bus)
    orgs = built.services["orgs"]
    built.home = orgs.home_id()
    owner = orgs.claim(orgs.code(), "", email="ada@example.org", password=PASSWORD, name="Ada")
    session, _secret = built.services["identity"].open_session(owner, "token", "", "")
    built.people = {"owner": Actor("person", owner.id, orgs.home_id(), "owner", "Ada", "bearer", session.id),
                    "node": Actor("node", "11111111-1111-4111-8111-111111111111", orgs.home_id(), via="bearer"), "open": NOBODY}
    built.who = NOBODY
    built.known = known(built, owner, session)
    app = build_app(compose.routes(built.features), built.kit, built.services, hostname="box", authenticate=lambda: built.who,
                    guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features)))
    built.schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    yield built
    close(built)


def known(built, owner, session):
    """Ids of things that are there, by the names that addresses give them, so that not every made-up request meets nothing."""
    found = {"session_id": session.id, "user_id": owner.id, "person_id": owner.id}
    with built.db.tenant(built.home):
        found["job_id"] = built.kit.jobs.put("core.health_check", {}).id
        if built.kit.role == "hub":
            found["node_id"] = built.kit.records.create(Node, org_id=built.home, hostname="pi-001", public_key="QUJD" * 10 + "QUI=").id
        else:
            document, _new = built.services["documents"].add(io.BytesIO(pdf([["A page"]])), "page.pdf", org_id=built.home, owner_id=owner.id, correlation="")
            found["document_id"] = document.id
    return found


def broken(api, operation, examples):
    """What the document does not say of an address, found by made-up requests of whoever may ask."""
    access = operation.definition.raw["x-unibos-access"]
    api.who = api.people.get(access, api.people["owner"])

    @seed(1)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), there=booleans())
    def ask(case, there):
        api.clock.advance(61)  # no throttle stands in the way of what comes after it
        if there and case.path_parameters:
            case.path_parameters = {name: api.known.get(name, value) for name, value in case.path_parameters.items()}
        before = api.kit.bus.asked
        answer = case.call_and_validate(checks=CHECKS)
        # 503 is an answer where the agent is needed, who is away, and nowhere else.
        assert answer.status_code < 500 or (answer.status_code == 503 and api.kit.bus.asked > before) or case.path == "/readyz", answer.text

    try:
        ask()
    except (AssertionError, FailureGroup) as error:
        return f"{operation.label} as {access}: {error}"
    return ""


def hold(api, examples):
    operations = [result.ok() for result in api.schema.get_all_operations()]
    assert len(operations) > 30
    found = [text for operation in operations if (text := broken(api, operation, examples))]
    assert not found, f"{len(found)} of {len(operations)} addresses are not as documented\n" + "\n\n".join(found)


def test_a_few_made_up_requests_to_every_address(api):
    hold(api, 6)


@pytest.mark.slow
def test_many_made_up_requests_to_every_address(api):
    hold(api, 100)
