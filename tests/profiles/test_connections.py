"""A process whose connections to PostgreSQL are all in use says so, instead of breaking."""

import threading

import pytest
from unibos.adapters.database import Database
from unibos.kernel.errors import Unavailable


def test_a_pool_that_is_used_up_says_so(postgres_server, tmp_path, monkeypatch):
    pool = Database(postgres_server.create_owned()[1], tmp_path / "none", connections=1)
    monkeypatch.setattr(pool.peewee, "_wait_timeout", 0.05)
    with pool.peewee.connection_context():
        failed = []

        def ask():
            with pytest.raises(Unavailable, match="UNIBOS_DATABASE_CONNECTIONS"):
                pool.peewee.execute_sql("SELECT 1")
            failed.append(True)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert failed and pool.peewee.execute_sql("SELECT 1").fetchone() == (1,)
    pool.release()
    pool.peewee.close_all()
