import sys

import duckdb
import pytest

from tests.records.writers.omop_rows import condition, written
from tools.records.read import read_cohort
from tools.safety.errors import InputError


def test_a_database_reads_nothing_outside_itself(tmp_path):
    path = written(tmp_path, [condition(visit_id=10)], kind=".duckdb")
    (tmp_path / "secret.csv").write_text("person_id\n1\n")
    with duckdb.connect(str(path)) as opened:
        opened.execute("DROP TABLE cdm.person")
        opened.execute(f"CREATE VIEW cdm.person AS SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(InputError, match="PERSON: this table of the database cannot be read"):
        read_cohort(path)


def test_a_table_in_two_schemas_is_refused(tmp_path):
    path = written(tmp_path, [condition(visit_id=10)], kind=".duckdb")
    with duckdb.connect(str(path)) as opened:
        opened.execute("CREATE TABLE main.Person AS SELECT * FROM cdm.person")
    with pytest.raises(InputError, match="PERSON: stands in several schemas"):
        read_cohort(path)


@pytest.mark.parametrize("missing", ["duckdb", "pyarrow"])
def test_without_duckdb_or_pyarrow_the_extra_is_named(missing, tmp_path, monkeypatch):
    path = written(tmp_path, [condition(visit_id=10)], kind=".duckdb")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[ehr\]'"):
        read_cohort(path)
