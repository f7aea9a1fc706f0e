"""Records: every write is logged in its transaction, and stamps never go back."""

import datetime as dt

import pytest
from unibos.features.orgs.models import Organisation
from unibos.kernel.records import Change, format_stamp


@pytest.fixture
def node(node):
    """The node, working for organisation o."""
    with node.db.tenant("o"):
        yield node


def make(node, slug):
    return node.kit.records.create(Organisation, org_id="o", name="Home", slug=slug)


def test_a_write_and_its_log_are_one(node):
    row = make(node, "a")
    node.kit.records.update(row, name="House", actor_id="ada")
    node.kit.records.update(row, name="House")
    node.kit.records.delete(row)
    log = list(Change.select().where(Change.record_id == row.id).order_by(Change.seq))
    assert [(c.deleted, c.fields.get("name")) for c in log] == [(False, "Home"), (False, "House"), (True, None)]
    assert log[1].fields == {"name": "House"} and log[1].actor_id == "ada"
    with pytest.raises(RuntimeError), node.db.transaction():
        make(node, "b")
        raise RuntimeError
    assert not Organisation.select().where(Organisation.slug == "b").exists()
    assert Change.select().where(Change.model == "organisation").count() == 3 + 0


def test_stamps_rise_although_the_clock_goes_back(node):
    stamps = [make(node, "a").stamp]
    node.clock.time -= dt.timedelta(days=400)
    stamps += [make(node, f"s{n}").stamp for n in range(3)]
    node.clock.time += dt.timedelta(days=800)
    stamps.append(make(node, "z").stamp)
    assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)


def test_stamps_sort_as_text_as_the_clock_does():
    assert format_stamp(1, 0xFFFF, "z") < format_stamp(2, 0, "a") < format_stamp(2, 1, "a") < format_stamp(1 << 47, 0, "a")


def test_hooks_run_after_the_commit_and_never_when_it_fails(node):
    seen = []
    with node.db.transaction():
        node.db.after_commit(lambda: seen.append("outer"))
        with node.db.transaction():
            node.db.after_commit(lambda: seen.append("inner"))
        assert seen == []
    assert seen == ["outer", "inner"]
    with pytest.raises(RuntimeError), node.db.transaction():
        node.db.after_commit(lambda: seen.append("never"))
        raise RuntimeError
    node.db.after_commit(lambda: seen.append("at once"))
    assert seen == ["outer", "inner", "at once"]


def test_writers_at_once_get_stamps_of_their_own(node):
    import threading

    wrong = []

    def write(name):
        try:
            with node.db.tenant("o"):
                for n in range(8):
                    make(node, f"{name}-{n}")
        except Exception as error:
            wrong.append(error)
        finally:
            node.db.release()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamps = [change.stamp for change in Change.select().order_by(Change.seq)]
    assert wrong == [] and len(set(stamps)) == len(stamps) >= 48
