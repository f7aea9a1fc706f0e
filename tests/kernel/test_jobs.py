"""Jobs survive the loss of any process: put, dispatch, claim, leases, retries, cancellation."""

import datetime as dt

import pytest
from unibos.kernel.errors import Conflict, Invalid, Unavailable
from unibos.kernel.feature import JobType
from unibos.kernel.jobs import Cancelled, Job, Jobs, backoff, unsaid
from unibos.kernel.words import T


@pytest.fixture
def work(node):
    """A job table with three kinds of jobs; `done` collects what tasks did."""
    types = {"t.ok": JobType("t.ok", "default", "", T("Ok")), "t.once": JobType("t.once", "default", "", T("Once"), idempotent=False),
             "t.other": JobType("t.other", "ocr", "", T("Other"))}
    node.done, node.task = [], lambda task, payload: node.done.append(payload) or {"n": 1}
    node.jobs = Jobs(node.kit, types, lambda name: lambda task, payload: node.task(task, payload))
    node.kit.jobs = node.jobs
    return node


def taken(work, worker="w"):
    """Dispatch, then run all that was handed, as workers do."""
    work.jobs.dispatch()
    ends = []
    for _queue, job_id, attempt in list(work.kit.queue.handed):
        work.kit.queue.handed.remove((_queue, job_id, attempt))
        ends.append(work.jobs.run(job_id, attempt, worker, {}))
    return ends


def test_a_job_is_done_once_with_its_result(work):
    job = work.jobs.put("t.ok", {"a": 1}, subject="x")
    assert taken(work) == ["done"] and work.done == [{"a": 1}]
    row = Job.get_by_id(job.id)
    assert (row.state, row.result, row.fraction) == ("done", {"n": 1}, 1.0)
    assert taken(work) == []


def test_a_job_of_a_transaction_that_failed_never_was(work):
    with pytest.raises(RuntimeError), work.db.transaction():
        work.jobs.put("t.ok", {})
        raise RuntimeError
    assert Job.select().count() == 0


def test_the_most_urgent_goes_first_and_a_queue_is_not_flooded(work):
    for n in range(12):
        work.jobs.put("t.ok", {"n": n}, priority=9 - n % 3)
    work.jobs.put("t.other", {"n": 99}, priority=10)
    work.jobs.dispatch()
    assert [q for q, _i, _a in work.kit.queue.handed].count("default") == 8 and [q for q, _i, _a in work.kit.queue.handed].count("ocr") == 1
    first = Job.get_by_id(work.kit.queue.handed[0][1])
    assert first.priority == 7


def test_two_workers_that_are_handed_the_same_job_do_it_once(work):
    job = work.jobs.put("t.ok", {})
    work.jobs.dispatch()
    assert work.jobs.run(job.id, 1, "a", {}) == "done"
    assert work.jobs.run(job.id, 1, "b", {}) == "not ours" and len(work.done) == 1


def test_a_killed_worker_leaves_the_job_to_its_successor(work):
    job = work.jobs.put("t.ok", {})
    work.jobs.dispatch()
    Job.update(state="running", worker="w", lease=work.clock.now() + dt.timedelta(seconds=30)).where(Job.id == job.id).execute()
    assert work.jobs.release("w") == 1
    # The old wake-up is still there: it finds that the job is not its own any more.
    assert taken(work) == ["not ours", "done"] and len(work.done) == 1


def test_a_silent_worker_loses_the_job_when_its_lease_ends(work):
    job = work.jobs.put("t.ok", {})
    work.jobs.dispatch()

    def hang(task, payload):
        work.clock.advance(31)
        assert "took back 1" in work.jobs.sweep()
        work.kit.queue.handed.clear()
        task.progress(T("still here"), 0.5)

    work.task = hang
    assert work.jobs.run(job.id, 1, "slow", {}) == "lost"
    work.task = lambda task, payload: {"by": "next"}
    assert taken(work, "next") == ["done"] and Job.get_by_id(job.id).result == {"by": "next"}


def test_a_job_that_says_it_is_not_idempotent_is_never_repeated_by_itself(work):
    job = work.jobs.put("t.once", {})
    work.jobs.dispatch()
    Job.update(state="running", worker="w", lease=work.clock.now()).where(Job.id == job.id).execute()
    work.clock.advance(1)
    work.jobs.sweep()
    row = Job.get_by_id(job.id)
    assert row.state == "failed" and str(unsaid(row.error)) == "Its worker stopped answering."


def test_a_lost_wake_up_costs_no_attempt(work):
    job = work.jobs.put("t.ok", {})
    for _ in range(5):
        work.jobs.dispatch()
        work.kit.queue.handed.clear()
        work.clock.advance(61)
        work.jobs.sweep()
    assert taken(work) == ["done"] and Job.get_by_id(job.id).state == "done"


def test_a_passing_fault_is_tried_again_later_and_a_lasting_one_is_not(work):
    def unavailable(task, payload):
        raise Unavailable(T("The sky is grey."))

    work.task = unavailable
    job = work.jobs.put("t.ok", {})
    assert taken(work) == ["waiting"] and taken(work) == []
    for _ in range(2):
        work.clock.advance(1000)
        last = taken(work)
    assert last == ["failed"] and str(unsaid(Job.get_by_id(job.id).error)) == "The sky is grey."

    def invalid(task, payload):
        raise Invalid(T("Not a page."))

    work.task = invalid
    work.jobs.put("t.ok", {})
    assert taken(work) == ["failed"]


def test_an_exception_is_told_without_its_words(work):
    def broken(task, payload):
        raise ZeroDivisionError("secret detail")

    work.task = broken
    job = work.jobs.put("t.once", {})
    assert taken(work) == ["failed"]
    assert "secret" not in str(unsaid(Job.get_by_id(job.id).error))


def test_cancelling_stops_what_waits_at_once_and_what_runs_at_its_next_report(work):
    waiting = work.jobs.put("t.ok", {})
    work.jobs.cancel(waiting.id)
    assert Job.get_by_id(waiting.id).state == "cancelled"
    with pytest.raises(Conflict):
        work.jobs.cancel(waiting.id)
    running = work.jobs.put("t.ok", {})

    def long(task, payload):
        work.jobs.cancel(running.id)
        with pytest.raises(Cancelled):
            task.progress(T("half"), 0.5)
        raise Cancelled

    work.task = long
    assert taken(work) == ["cancelled"]


def test_a_failed_job_can_be_repeated_with_all_its_tries(work):
    work.task = lambda task, payload: (_ for _ in ()).throw(Invalid(T("no")))
    job = work.jobs.put("t.ok", {})
    assert taken(work) == ["failed"]
    work.task = lambda task, payload: {"n": 2}
    work.jobs.repeat(job.id)
    assert taken(work) == ["done"]
    with pytest.raises(Conflict):
        work.jobs.repeat(job.id)


def test_what_ended_is_forgotten_in_time_and_failures_later(work):
    work.jobs.put("t.ok", {})
    taken(work)
    work.task = lambda task, payload: (_ for _ in ()).throw(Invalid(T("no")))
    work.jobs.put("t.ok", {})
    taken(work)
    work.clock.advance(8 * 86400)
    work.jobs.sweep()
    assert [j.state for j in Job.select()] == ["failed"]
    work.clock.advance(90 * 86400)
    work.jobs.sweep()
    assert Job.select().count() == 0


@pytest.mark.parametrize("attempt", range(1, 12))
def test_backoff_grows_and_is_bounded(attempt):
    assert 2 <= backoff(attempt, 0) <= backoff(attempt, 0.999) <= 1350
    assert backoff(attempt + 1, 0) >= backoff(attempt, 0)
