"""Write the dashboards again: `python -m grafana`, in the checkout."""

from __future__ import annotations

from grafana.business_kpis import DASHBOARD_FILE, rendered


def main() -> None:
    """Replace the files of grafana/dashboards."""
    DASHBOARD_FILE.parent.mkdir(parents=True, exist_ok=True)
    DASHBOARD_FILE.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
