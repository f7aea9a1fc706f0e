"""Several organisations on one hub: choosing, isolation, registration, limits, modules, and what a page of one hears of another."""

import io
import re

import pytest
from unibos.features.orgs.models import Organisation
from unibos.features.orgs.organisations import slug_of
from unibos.kernel.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound
from unibos.kernel.web import cookie_name
from unibos.panel.live import Live
from unibos.panel.live import Page as OpenPage

from tests.conftest import PASSWORD
from tests.features.orgs.conftest import CONSOLE


def test_a_person_of_two_organisations_is_in_one_at_a_time(on_hub):
    bo = on_hub.join("Bo", "viewer")
    other = on_hub.organisation("Other", bo)
    _s, secret = on_hub.identity.open_session(bo, "browser", "", "")
    tokens = on_hub.identity.tokens(bo, "", "")
    here, program = on_hub.identity.by_cookie(secret), on_hub.identity.by_token(tokens["token"])
    assert (here.org_id, here.role) == (program.org_id, program.role) == (on_hub.home, "viewer")
    on_hub.orgs.organisations.switch(here, other)
    on_hub.orgs.organisations.switch(program, other)
    there = on_hub.identity.by_cookie(secret)
    assert (there.org_id, there.role) == (other, "owner"), "and not the role that was cached for the other one a moment ago"
    fresh = on_hub.identity.people.token(program.session_id, bo.id)
    assert on_hub.identity.by_token(fresh["token"]).org_id == other and on_hub.identity.by_token(tokens["token"]).org_id == on_hub.home
    assert on_hub.identity.by_token(on_hub.identity.refresh(tokens["refresh_token"])["token"]).org_id == other
    with on_hub.within():
        on_hub.orgs.people.remove(on_hub.home, CONSOLE, bo.id)
    old = on_hub.identity.by_token(tokens["token"])
    assert (old.org_id, old.role) == ("", ""), "who was removed does not act in another organisation instead"
    assert on_hub.identity.by_cookie(secret).role == "owner"
    for nowhere in (on_hub.home, "no-such-id", ""):
        with pytest.raises(NotFound):
            on_hub.orgs.organisations.switch(there, nowhere)


def test_names_are_free_and_no_slug_tells_of_another(on_hub):
    bo = on_hub.join("Bo")
    first, second = on_hub.organisation("Okuma Kulübü", on_hub.ada), on_hub.organisation("Okuma Kulübü", bo)
    slugs = {on_hub.orgs.get_in(org).slug for org in (first, second)}
    assert len(slugs) == 2 and all(re.fullmatch(r"okuma-kulubu-[0-9a-f]{10}", slug) for slug in slugs)
    assert slug_of("İstanbul'un ışığı", b"\0") == "istanbul-un-isigi-00" and slug_of("日本", b"\1") == "org-01"
    assert on_hub.orgs.organisations.by_word(slugs.pop()) in (first, second)
    with pytest.raises(NotFound):
        on_hub.orgs.organisations.by_word("okuma-kulubu")


def test_who_makes_an_organisation(on_hub):
    bo, organisations = on_hub.join("Bo"), on_hub.orgs.organisations
    with pytest.raises(Forbidden, match="takes no new"):
        organisations.create(on_hub.actor(bo), "Mine")
    assert organisations.create(on_hub.actor(on_hub.ada), "Ours").plan == "free"
    on_hub.registration("invitation")
    mine = organisations.create(on_hub.actor(bo), "Mine", "family")
    assert on_hub.role_of(bo, mine.id) == "owner" and mine.type == "family"
    for more in ({"plan": "enterprise"}, {"owner_id": on_hub.ada.id}):
        with pytest.raises(Forbidden, match="Only who runs"):
            organisations.create(on_hub.actor(bo), "Mine", **more)
    assert organisations.create(CONSOLE, "Later").owner_id == ""


def test_a_node_has_one_organisation(on_node):
    with pytest.raises(Forbidden, match="one organisation"):
        on_node.orgs.organisations.create(CONSOLE, "Second")


def test_plan_and_limits_are_the_operators(on_hub):
    bo, organisations = on_hub.join("Bo"), on_hub.orgs.organisations
    other = on_hub.organisation("Other", bo, "free")
    owner = on_hub.actor(bo, other)
    with on_hub.within(other):
        organisations.change(other, owner, name="  New   name ", type="nonprofit", custom_domain="Home.Example.org")
        for fields in ({"plan": "enterprise"}, {"max_users": 99}):
            with pytest.raises(Forbidden, match="whoever runs"):
                organisations.change(other, owner, **fields)
        for fields in ({"name": ""}, {"name": "\n"}, {"custom_domain": "no domain"}, {"custom_domain": "a..b"}, {"enabled_modules": ["nothing"]}, {"type": "club"}):
            with pytest.raises(Invalid):
                organisations.change(other, owner, **fields)
        organisations.change(other, CONSOLE, plan="starter", max_nodes=9)
        kept = Organisation.get_by_id(other)
        assert (kept.name, kept.type, kept.custom_domain, kept.plan, kept.max_nodes) == ("New name", "nonprofit", "home.example.org", "starter", 9)
    assert {row["organisation"].name for row in organisations.every()} == {"Ada", "New name"}


def test_nodes_are_limited_where_they_enrol_also_two_at_once(on_hub):
    """By the registry's own enrolment: a revoked node gives its place back, and does not come back without one."""
    from tests.features.orgs.test_members import at_once
    from tests.features.registry.test_registry import enrol

    org, registry = on_hub.organisation("Small", on_hub.ada, "free"), on_hub.built.services["registry"]
    on_hub.registry = registry

    def come(seed):
        try:
            with on_hub.within(org):
                return enrol(on_hub, registry.make_token(org, "ada")[0], bytes([seed]) * 32)
        finally:
            on_hub.kit.db.release()

    found = at_once(lambda: come(1), lambda: come(2))
    assert sorted(type(x).__name__ for x in found) == ["LimitReached", "Node"], found
    seed, node = next((n + 1, x) for n, x in enumerate(found) if not isinstance(x, Exception))
    with on_hub.within(org):
        assert come(seed).id == node.id, "a node that is known takes no new place"
        registry.fleet.revoke(node.id, org, "ada")
        assert come(3).hostname == "pi-001" and on_hub.orgs.organisations.used(org)["nodes"] == 1
        with pytest.raises(LimitReached, match="nodes of this organisation is reached: 1 of 1"):
            registry.fleet.unrevoke(node.id, org, "ada", "owner")


def test_storage_is_limited_where_files_are_kept(on_node):
    with on_node.within():
        on_node.orgs.organisations.change(on_node.home, CONSOLE, max_storage_gb=0)
        with pytest.raises(LimitReached, match="limit of storage"):
            on_node.kit.files.put(io.BytesIO(b"x"), org_id=on_node.home, limit=10)
        on_node.orgs.organisations.change(on_node.home, CONSOLE, max_storage_gb=None)
        on_node.kit.files.put(io.BytesIO(b"x"), org_id=on_node.home, limit=10)
        assert on_node.orgs.organisations.used(on_node.home)["storage"] == 1


def test_a_person_owns_only_so_many(on_hub, monkeypatch):
    monkeypatch.setattr("unibos.features.orgs.organisations.OWNED", 2)
    on_hub.organisation("Second", on_hub.ada)
    with pytest.raises(LimitReached, match="organisations of one person"):
        on_hub.organisation("Third", on_hub.ada)


def test_the_owner_of_another_organisation_does_not_run_the_hub(web):
    other = web.organisation("Other", bo := web.join("Bo"))
    head = web.token(bo)
    assert web.client.post("/api/v1/auth/organisation/", json={"organisation": other}, headers=head).status_code == 200
    bos = {"Authorization": "Bearer " + web.client.post("/api/v1/auth/organisation/", json={"organisation": other}, headers=head).json["token"]}
    assert web.client.get("/api/v1/organisation/", headers=bos).json["role"] == "owner"
    for method, path, body in (("GET", "export/", None), ("GET", "export/log/", None), ("POST", "export/kill-switch/", {"on": True}), ("GET", "status/?settings=1", None),
                               ("GET", "organisations/", None), ("POST", f"users/{web.ada.id}/disable/", None), ("DELETE", f"users/{web.ada.id}/", None),
                               ("POST", "users/", {"email": "x@y.z", "name": "X", "password": PASSWORD}), ("PATCH", "organisation/", {"plan": "enterprise"})):
        answer = web.client.open(f"/api/v1/{path}", method=method, json=body, headers=bos)
        assert answer.status_code == 403, (path, answer.status_code)
    assert "UNIBOS_DATABASE_URL" not in web.client.get("/settings/", headers=bos).text
    assert "UNIBOS_DATABASE_URL" in web.client.get("/settings/", headers=web.token_of_ada).text
    assert web.client.get("/api/v1/export/", headers=web.token_of_ada).status_code == 200


# By the web.


def test_a_stranger_registers_where_it_is_open_and_learns_nothing_of_others(web):
    body = {"email": "bo@example.org", "password": PASSWORD, "name": "Bo", "organisation": "Bo & co"}
    register = lambda **more: web.client.post("/api/v1/auth/register/", json={**body, **more})
    assert register().status_code == 403 and web.client.get("/register/").location == "/join/"
    web.registration("open")
    told = []
    web.identity.events.note = lambda user_id, kind, *_a, **_k: told.append(kind)
    new, known = register(), register(email="ada@example.org", organisation="Ada's second")
    assert new.status_code == known.status_code == 202 and new.json == known.json and told == ["registered-again"]
    bo = web.client.post("/api/v1/auth/login/", json={"email": "bo@example.org", "password": PASSWORD}).json
    mine = web.client.get("/api/v1/organisation/", headers={"Authorization": f"Bearer {bo['token']}"}).json
    assert (mine["name"], mine["plan"], mine["role"], mine["limits"]) == ("Bo & co", "free", "owner", {"users": 1, "guests": None, "nodes": 1, "storage": 5_000_000_000})
    assert len(web.orgs.organisations.every()) == 2
    page = web.built.app.test_client()
    shown = page.get("/register/").text
    done = page.post("/register/", data={**body, "email": "cy@example.org", "_csrf": shown.split('name="_csrf" value="')[1].split('"')[0]})
    assert done.status_code == 303 and done.location == "/login/" and web.identity.people.find("cy@example.org")
    for wrong in ({"password": "short"}, {"email": "no"}, {"name": ""}, {"email": "a\0@b.c"}, {"organisation": "a\0b"}):
        assert register(**wrong).status_code == 400


def test_one_organisation_asks_for_what_is_anothers_and_finds_nothing(web):
    bo = web.join("Bo")
    other = web.organisation("Other", bo)
    cy, secret = web.join("Cy", org_id=other), web.invite("viewer", other)
    with web.within(other):
        invitation = web.orgs.invitations.open(other)[0].id
    ask = lambda method, path, **more: web.client.open(f"/api/v1/organisation/{path}", method=method, headers=web.token_of_ada, **more)
    for there, nowhere in ((f"members/{cy.id}/", "members/x/"),):
        for method, more in (("GET", {}), ("PATCH", {"json": {"role": "viewer"}}), ("DELETE", {})):
            one, none = ask(method, there, **more), ask(method, nowhere, **more)
            assert one.status_code == none.status_code == 404 and one.json["detail"] == none.json["detail"]
    assert ask("DELETE", f"invitations/{invitation}/").status_code == ask("DELETE", "invitations/x/").status_code == 404
    assert ask("POST", "transfer/", json={"user_id": cy.id, "password": PASSWORD}).status_code == 404
    assert ask("DELETE", "members/%00/").status_code == ask("DELETE", "invitations/%00/").status_code == 404
    assert {m["name"] for m in ask("GET", "members/").json["items"]} == {"Ada", "Bo"}
    assert web.client.get(f"/people/{cy.id}/", headers=web.token_of_ada).status_code == 404
    assert web.client.get("/search/?q=BO&_format=json", headers=web.token_of_ada).json[-1]["href"] == f"/people/{bo.id}/"
    assert "Cy" not in web.client.get("/search/?q=cy&_format=json", headers=web.token_of_ada).text
    assert web.orgs.invitations.look(secret, "x")["organisation"] == "Other"
    bos = web.token(bo)
    assert web.client.post("/api/v1/auth/organisation/", json={"organisation": other}, headers=bos).json["organisation_id"] == other
    assert web.client.get("/api/v1/organisations/", headers=bos).status_code == 403


ACTS = (("GET", "members/", None, "viewer"), ("PATCH", "members/{cy}/", {"role": "member"}, "admin"), ("DELETE", "members/{di}/", None, "admin"),
        ("GET", "invitations/", None, "admin"), ("POST", "invitations/", {"role": "viewer"}, "admin"), ("POST", "invitations/", {"role": "owner"}, "owner"),
        ("PATCH", "", {"name": "Ours"}, "admin"), ("PATCH", "", {"type": "family"}, "owner"), ("PATCH", "members/{ada}/", {"role": "admin"}, None),
        ("DELETE", "members/{ada}/", None, None), ("PATCH", "members/{cy}/", {"role": "owner"}, "owner"),
        ("POST", "transfer/", {"user_id": "{cy}", "password": PASSWORD}, "owner"), ("GET", "", None, "viewer"))
RANK = ("", "guest", "viewer", "member", "admin", "owner")


@pytest.mark.parametrize("role", RANK)
def test_each_role_does_what_it_may_and_nothing_else(web, role):
    """Every act of the API, by everybody; each on people that are there anew."""
    who = web.ada if role == "owner" else None
    if role == "guest":
        who, _org = web.orgs.invitations.accept(web.invite("guest", guest_hours=1), "x", name="Gül")
    elif who is None and role:
        who = web.join("Bo", role)
    head = web.token(who) if who else {}
    for number, (method, path, body, least) in enumerate(ACTS):
        there = {"ada": web.ada.id, "cy": web.join(f"Cy{number}").id, "di": web.join(f"Di{number}").id}
        sent = {k: v.format(**there) if isinstance(v, str) else v for k, v in body.items()} if body else None
        got = web.client.open("/api/v1/organisation/" + path.format(**there), method=method, json=sent, headers=head).status_code
        expected = 401 if not who else 403 if least is None or RANK.index(role) < RANK.index(least) else got
        assert got == expected and (got < 300 or got in (401, 403)), (role, method, path, sent, got)


@pytest.mark.parametrize("kind", ["web", "node_house"])
def test_a_guest_meets_what_is_theirs_and_nothing_of_others(kind, request):
    from unibos.kernel import compose

    house = request.getfixturevalue(kind)
    guest, _org = house.orgs.invitations.accept(house.invite("guest", guest_hours=2), "x", name="Gül")
    head, allowed = house.token(guest), set()
    for _feature, route in compose.routes(house.built.features):
        path = route.path.replace("<int:number>", "1").replace("<", "").replace(">", "")
        if route.method == "GET" and route.access != "open" and house.client.get(path, headers=head).status_code != 403:
            allowed.add(route.path)
    documents = {p for p in allowed if "documents" in p}  # their own, which the tests of documents try
    assert allowed - documents == {"/", "/about/", "/settings/", "/search/", "/api/v1/auth/whoami/", "/api/v1/auth/sessions/"}
    assert bool(documents) == (kind == "node_house")
    for method, path, body in (("POST", "auth/password/", {"password": "", "new": PASSWORD}), ("POST", "auth/email/verify/request/", None),
                               ("POST", "auth/passkeys/begin/", {"password": "", "code": ""}), ("GET", "auth/passkeys/", None)):
        answer = house.client.open(f"/api/v1/{path}", method=method, json=body, headers=head)
        assert answer.status_code == 403 and "neither password nor e-mail" in answer.json["detail"], (path, answer.text)
    home = house.client.get("/", headers=head).text
    assert "You are a guest here" in home and "Ada" not in home and "/people/" not in home and "/devices/" not in home
    assert "effective" not in house.client.get("/settings/", headers=head).text
    assert {item["href"] for item in house.client.get("/search/?q=about&_format=json", headers=head).json} == {"/about/"}
    assert house.client.post("/api/v1/organisation/leave/", headers=head).status_code == 204
    assert house.client.get("/api/v1/auth/whoami/", headers=head).status_code == 401


def browser(house, user):
    """A browser in which that person is logged in, and a way to send forms."""
    client = house.built.app.test_client()
    _session, secret = house.identity.open_session(user, "browser", "", "")
    client.set_cookie(cookie_name(house.kit), secret)

    def form(path, page="/settings/", **values):
        return client.post(path, data={**values, "_csrf": client.get(page).text.split('name="_csrf" value="')[1].split('"')[0]})

    return client, form


def test_the_pages_hand_over_leave_disable_and_make(web):
    """What the forms of the pages do, and what they say when it goes wrong."""
    bo = web.join("Bo")
    (ada, adas), (bos_client, bos) = browser(web, web.ada), browser(web, bo)
    at = f"/people/{bo.id}/"
    assert adas(f"{at}offer/", password="not the password").status_code == 401 and "wrong" in adas(f"{at}offer/", password="not the password").text
    assert adas(f"{at}offer/", password=PASSWORD).status_code == 303 and "ownership offered" in ada.get(at).text
    assert "Become the owner" in bos_client.get("/organisation/").text and "Take the offer back" in ada.get("/organisation/").text
    assert bos("/organisation/withdraw/").status_code == 303 and bos("/organisation/accept/").status_code == 409
    adas(f"{at}offer/", password=PASSWORD)
    assert bos("/organisation/accept/").status_code == 303 and (web.role_of(bo), web.role_of(web.ada)) == ("owner", "admin")
    assert adas(f"/people/{bo.id}/remove/").status_code == 403 and bos("/organisation/leave/").status_code == 403
    cy = web.join("Cy")
    assert bos(f"/people/{cy.id}/disable/").status_code == 303 and "disabled" in bos_client.get(f"/people/{cy.id}/").text
    assert bos(f"/people/{cy.id}/enable/").status_code == 303 and adas(f"/people/{cy.id}/disable/").status_code == 403
    assert adas(f"/people/{cy.id}/role/", role="viewer").status_code == 303 and adas(f"/people/{cy.id}/role/", role="owner").status_code == 403
    wrong = adas("/people/", do="guest", guest_hours="24", pin="12")
    assert wrong.status_code == 400 and "4 to 12 digits" in wrong.text and "#invite=" not in wrong.text
    made = adas("/people/", do="guest", guest_hours="24", pin="4711", label="<b>Gül</b>")
    assert "#invite=" in made.text and "<b>Gül" not in made.text and "#invite=" not in ada.get("/people/").text
    invitation = re.search(r"/people/invitations/([0-9a-f-]+)/revoke/", made.text)[1]
    assert adas(f"/people/invitations/{invitation}/revoke/").status_code == 303 and "No invitation is open" in ada.get("/people/").text
    assert adas("/organisation/", name="").status_code == 400 and adas("/organisation/", type="team").status_code == 403
    assert bos("/organisation/", name="Ours", type="team", custom_domain="x").status_code == 400
    assert bos("/organisations/new/", page="/organisations/", name="Second").status_code == 303 and "Second" in bos_client.get("/organisation/").text
    assert adas("/organisations/new/", page="/organisations/", name="Second").status_code == 403
    assert adas("/organisation/leave/").location == "/organisations/" and web.role_of(web.ada) == ""
    assert adas("/organisations/", page="/organisations/", organisation=web.home).status_code == 404


def test_no_admin_sets_the_password_of_somebody_who_is_elsewhere_too(web):
    """Else an admin of one organisation would come into another as its owner."""
    bo, cy = web.join("Bo"), web.join("Cy")
    other = web.organisation("Other", web.join("Di"))
    with web.within(other):
        web.orgs.invitations.accept(web.invite("admin", other), "x", actor=web.actor(cy))
    efe = web.join("Efe", "admin")
    admin = web.token(efe)
    guest, _org = web.orgs.invitations.accept(web.invite("guest", guest_hours=1), "x", name="Gül")
    link = lambda user, head: web.client.post("/api/v1/auth/password/link/", json={"user_id": user.id}, headers=head).status_code
    assert link(bo, admin) == 201 and link(web.ada, admin) == 404
    assert link(cy, admin) == 404, "Cy is an admin elsewhere"
    assert link(guest, admin) == 404 and link(guest, web.token_of_ada) == 404
    assert link(cy, web.token_of_ada) == 201, "Ada runs the hub"

    client, form = browser(web, efe)
    assert "Make a link" in client.get(f"/people/{bo.id}/").text and "Make a link" not in client.get(f"/people/{cy.id}/").text
    assert "Make a link" not in client.get(f"/people/{web.ada.id}/").text
    handed = form(f"/people/{bo.id}/password/")
    code = re.search(r"/password/reset/#code=([0-9A-Z-]+)", handed.text, re.I)[1]
    assert 'class="qr"' in handed.text and code not in client.get(f"/people/{bo.id}/").text
    assert form(f"/people/{cy.id}/password/").status_code == 404
    assert web.client.post("/api/v1/auth/password/reset/", json={"code": code, "password": "four other plain words"}).status_code == 204
    assert web.identity.log_in("bo@example.org", "four other plain words", "z").id == bo.id


def test_a_form_of_one_organisation_is_not_taken_in_another(web):
    bo = web.join("Bo", "owner")
    other = web.organisation("Other", bo)
    client, form = browser(web, bo)
    old = client.get("/organisation/").text.split('name="_csrf" value="')[1].split('"')[0]
    assert "Other" in client.get("/settings/").text, "the shell offers the other one"
    assert form("/organisations/", organisation=other).status_code == 303
    assert client.post("/organisation/", data={"name": "Oops", "_csrf": old}).status_code == 403
    assert web.orgs.get_in(other).name == "Other" and web.orgs.get_in(web.home).name == "Ada"
    assert form("/organisation/", name="Renamed").status_code == 303 and web.orgs.get_in(other).name == "Renamed"
    assert form("/organisations/", organisation="nowhere").status_code == 404


def test_who_was_removed_is_sent_to_choose(web):
    bo = web.join("Bo")
    client, form = browser(web, bo)
    assert client.get("/people/").status_code == 200
    with web.within():
        web.orgs.people.remove(web.home, CONSOLE, bo.id)
    gone = client.get("/people/")
    assert gone.status_code == 303 and gone.location == "/organisations/"
    page = client.get("/organisations/").text
    assert "You belong to no organisation" in page and web.client.get("/api/v1/nodes/", headers=web.token(bo)).status_code == 403
    assert form("/organisation/leave/", page="/organisations/").status_code == 303
    assert form("/logout/", page="/organisations/").status_code == 303


def test_a_module_that_is_not_enabled_is_closed_and_not_shown(node_house):
    house = node_house
    with house.within():
        house.orgs.organisations.change(house.home, CONSOLE, enabled_modules=["documents"])
    answer = house.client.get("/api/v1/devices/", headers=house.token_of_ada)
    assert answer.status_code == 422 and "devices is not enabled" in answer.json["detail"] and answer.json["limit"] == "enabled_modules"
    home = house.client.get("/", headers=house.token_of_ada).text
    assert 'href="/devices/"' not in home and 'href="/documents/"' in home
    assert house.client.get("/api/v1/documents/", headers=house.token_of_ada).status_code == 200


def test_a_node_takes_people_by_its_admins_and_their_invitations(node_house):
    house, body = node_house, {"email": "bo@example.org", "password": PASSWORD, "name": "Bo"}
    register = lambda head=None, **more: house.client.post("/api/v1/local/auth/register/", json={**body, **more}, headers=head or {})
    assert register().status_code == 403 and register(invitation="A" * 32).status_code == 403
    made = register(house.token_of_ada, role="viewer")
    assert made.status_code == 201 and made.json["role"] == "viewer" and made.json["email"] == "bo@example.org"
    assert register(house.token_of_ada).status_code == 409
    came = register(email="cy@example.org", invitation=house.invite("admin"))
    assert came.status_code == 201 and came.json["role"] == "admin"
    assert register(house.token(house.identity.people.find("bo@example.org")), email="di@example.org").status_code == 403
    assert house.client.post("/api/v1/organisations/", json={"name": "x"}, headers=house.token_of_ada).status_code == 404


class Line:
    """A connection that keeps what it was sent."""

    def __init__(self, actor):
        self.actor, self.sent, self.closed = actor, [], 0

    def send(self, message):
        self.sent.append(message)
        return True

    def close(self, code=1000, reason=""):
        self.closed = code


def test_a_page_hears_of_its_own_organisation_only(on_hub):
    bo = on_hub.join("Bo")
    other = on_hub.organisation("Other", bo)
    guest, _org = on_hub.orgs.invitations.accept(on_hub.invite("guest", guest_hours=2), "x", name="Gül")
    live = Live(on_hub.kit)
    lines = {name: Line(actor) for name, actor in (("ada", on_hub.actor(on_hub.ada)), ("bo", on_hub.actor(bo, other)), ("guest", on_hub.actor(guest)))}
    pages = {name: OpenPage(line, "en") for name, line in lines.items()}
    for name, page in pages.items():
        page.topics = frozenset({"node:1", "nodes", "people", "load", f"person:{lines[name].actor.id}"})
        live._pages.add(page)

    def heard(message):
        live.spread(message)
        found = {name for name, page in pages.items() if page.changed or page.values or lines[name].sent}
        for name, page in pages.items():
            page.changed, page.values, lines[name].sent = {}, {}, []
        return found

    sent = []
    on_hub.kit.tell = lambda channel, message: sent.append(message)
    with on_hub.within(other):
        on_hub.kit.changed("node:1")
    assert sent == [{"type": "changed", "topic": "node:1", "org": other}]
    assert heard(sent[0]) == {"bo"} and heard({**sent[0], "org": on_hub.home}) == {"ada"}
    assert heard({"type": "changed", "topic": "node:1", "org": ""}) == set(), "of nobody is for nobody"
    assert heard({"type": "changed", "topic": "load", "org": ""}) == {"ada", "bo"}
    values = {"type": "values", "values": [{"topic": "nodes", "key": "k", "number": 1, "at": 0}]}
    assert heard({**values, "org": other}) == {"bo"} and heard(values) == set()
    toast = {"type": "toast", "level": "good", "text": {"text": "Hello", "params": {}}}
    assert heard({**toast, "org": other, "actor": None}) == {"bo"} and heard({**toast, "org": "", "actor": guest.id}) == {"guest"}
    assert heard({"type": "changed", "topic": f"person:{guest.id}", "org": on_hub.home}) == {"guest"}
    live._since = 0
    live._catch_up(pages["ada"], on_hub.kit.now_ms())
    live._catch_up(pages["guest"], on_hub.kit.now_ms())
    assert set(pages["ada"].changed) == {"node:1", "load"} and set(pages["guest"].changed) == {f"person:{guest.id}"}
    live.spread({"type": "left", "actor": bo.id, "org": on_hub.home})
    assert lines["bo"].closed == 0, "that was about another organisation"
    live.spread({"type": "left", "actor": bo.id, "org": other})
    assert lines["bo"].closed == 4401 and not lines["ada"].closed


def test_two_at_once_with_one_address_are_one_person(on_hub):
    from tests.features.orgs.test_members import at_once

    def make():
        try:
            return on_hub.identity.create("bo@example.org", PASSWORD, "Bo")
        finally:
            on_hub.kit.db.release()

    assert sorted(type(x).__name__ for x in at_once(make, make)) == ["Conflict", "User"]
    with pytest.raises(Conflict):
        make()
