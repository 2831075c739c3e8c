"""Airflow: one notebook of the Identity Center Runbook Kit for each tenant, every weekday at 6:30.

Needs Airflow 2.9 or newer, apache-airflow-providers-papermill, and the kit installed for Airflow's workers:

    pip install apache-airflow-providers-papermill /srv/identity-center-runbook-kit

Put this file into Airflow's folder of DAGs, and set the three names below. A tenant's task shows the plan and
writes nothing until its ``mode`` says "apply" and its ``expected_account`` is the caller's account. A task
that is repeated changes nothing twice. Credentials come from the profile of ``~/.aws`` that a tenant names.
"""

import datetime
import os
from pathlib import Path

from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator

KIT = Path(os.environ.get("IDC_KIT", "/srv/identity-center-runbook-kit"))
RUNS = Path(os.environ.get("IDC_RUNS", str(KIT / "runs")))
# What differs from tenant to tenant: parameters of the notebook. Account ids stand in quotes.
TENANTS = {
    "tenant_a": {"target": "sandbox", "mode": "plan"},
    "tenant_b": {"target": "sandbox", "mode": "plan", "region": "us-east-1"},
}
NOTEBOOK = "05_permission_sets"


class RunbookOperator(PapermillOperator):
    """Papermill's operator, which wants the folder of its output to be there."""

    def execute(self, context):
        """Make the folder, then execute the notebook."""
        Path(str(getattr(self.output_nb, "url", self.output_nb))).parent.mkdir(parents=True, exist_ok=True)
        return super().execute(context)


with DAG(
    dag_id="identity_center",
    description="The plan of each tenant's permission sets",
    schedule="30 6 * * 1-5",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
    # AWS gives Identity Center 20 requests a second in all: two tenants of one organization are plenty.
    max_active_tasks=2,
    default_args={"retries": 1, "retry_delay": datetime.timedelta(minutes=5)},
    tags=["identity-center"],
) as dag:
    for tenant, parameters in TENANTS.items():
        folder = RUNS / "airflow" / tenant
        RunbookOperator(
            task_id=tenant,
            input_nb=str(KIT / "notebooks" / f"{NOTEBOOK}.ipynb"),
            # One file for each run, so that none is written over; receipts of all runs are in one folder.
            output_nb=str(folder / f"{NOTEBOOK}-{{{{ ts_nodash }}}}.ipynb"),
            parameters={
                "scenario_file": str(KIT / "parameters" / "sandbox.yaml"),
                "run_folder": str(folder),
                **parameters,
            },
        )
